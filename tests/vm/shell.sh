#!/bin/bash
# SPDX-License-Identifier: MIT
# Usage: shell.sh [SERIES]
#
# `make vm`: an interactive shell in a guest with the device and the module loaded. "exit" ends it.

set -euo pipefail
. "$(dirname "$0")/env.sh"

series=${1:-$(kernel_series | head -n 1)}
"$VM_DIR/mkroot.sh" >/dev/null
[ ! -x "$TOP/build/bin/accelcc" ] || "$VM_DIR/data.sh"
mkdir -p "$TOP/build/vm"
"$VM_DIR/build-module.sh" "$series" >"$TOP/build/vm/module-$series.log" 2>&1 ||
	{ cat "$TOP/build/vm/module-$series.log"; exit 1; }
exec "$VM_DIR/run.sh" --series "$series" --name "$series-shell" --shell

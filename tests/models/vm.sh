#!/bin/bash
# SPDX-License-Identifier: MIT
# Usage: vm.sh DIR
#
# Runs the programs that bits.py --keep DIR has left on the device behind the driver, in a guest, and compares
# their outputs with those of the embedded device, bit for bit.

set -euo pipefail
. "$(dirname "$0")/../vm/env.sh"

[ $# -eq 1 ] && [ -d "$1" ] || die "usage: vm.sh DIR"
dir=$(realpath "$1")
# All files are in memory three times: in the archive that the kernel boots with, unpacked, and on the device.
megabytes=$(du -sm "$dir" | cut -f1)
"$VM_DIR/mkroot.sh" >/dev/null
exec "$VM_DIR/run.sh" --name models --tests models --timeout 1800 --memory $((1024 + 3 * megabytes)) \
	--files "$dir=data/models"

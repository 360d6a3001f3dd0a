#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs the root's QEMU on the host; firmware and loadable parts are looked for in the root.

set -euo pipefail
. "$(dirname "$0")/env.sh"

root=$(root_dir)/root
export QEMU_MODULE_DIR=$root/usr/lib/x86_64-linux-gnu/qemu
# The caller waits for, and kills, this very process.
ROOT_EXEC_WITH='exec' root_exec "$root" qemu-system-x86_64 -L "$root/usr/share/qemu" -L "$root/usr/share/seabios" "$@"

#!/bin/bash
# SPDX-License-Identifier: MIT
# Usage: run.sh [--series 6.12] [--iommu] [--no-device] [--shell] [--tests a,b,c] [--timeout S] [--verbose]
#               [--memory MIB] [--files SOURCE=PATH-IN-GUEST]
#
# Boots one guest with the tests named (default: those of plan "full", see tests/vm/plan) and
# fails unless all of them pass and its kernel log is clean. Logs go to build/vm/<name>/.

set -euo pipefail
. "$(dirname "$0")/env.sh"

series=$(kernel_series | head -n 1)
name="" tests="" extra=() device=1 files=()
while [ $# -gt 0 ]; do
	case $1 in
	--series) series=$2; shift ;;
	--tests) tests=$2; shift ;;
	--name) name=$2; shift ;;
	--timeout|--memory) extra+=("$1" "$2"); shift ;;
	--files) files+=("$2"); shift ;;
	--iommu) extra+=(--iommu); name=${name:-$series-iommu} ;;
	--no-device) extra+=(--no-device); device=0 ;;
	--shell|--verbose) extra+=("$1") ;;
	*) die "unknown option '$1'" ;;
	esac
	shift
done
name=${name:-$series}

"$VM_DIR/mkroot.sh" >/dev/null
cached=$(root_dir)
kver=$(kernel_version "$series")
if [ $device = 1 ]; then
	[ -f "$TOP/build/driver/$kver/nca.ko" ] || "$VM_DIR/build-module.sh" "$series"
	[ "${NCA_VM_PROGRAMS:-}" = tests ] || files+=("$TOP/build/bin/accelctl")
	for f in "$TOP"/build/vm/bin/*; do
		[ ! -x "$f" ] || files+=("$f")
	done
	[ ! -d "$TOP/build/vm/data" ] || files+=("$TOP/build/vm/data=data")
fi
log=$TOP/build/vm/$name
mkdir -p "$log"
"$VM_DIR/mkinitramfs.sh" "$series" "$log/initramfs.cpio" "${files[@]}"
exec python3 "$VM_DIR/guest.py" ${NCA_VM_SIM:+--sim "$NCA_VM_SIM"} --name "$name" --kernel-dir "$cached/guest/$kver" \
	--initramfs "$log/initramfs.cpio" --log "$log" --tests "$tests" "${extra[@]}"

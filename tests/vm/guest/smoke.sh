# SPDX-License-Identifier: MIT
# timeout: 60
# The module binds the device, and accelctl's first commands work on it.
. /guest/lib.sh

check "smoke: insmod" load_module
check "smoke: bound to $(nca_pci)" test -e "/sys/bus/pci/drivers/nca/$(nca_pci)"
check "smoke: MSI-X is in use" grep -q nca /proc/interrupts
accelctl list
check "smoke: accelctl list" sh -c 'accelctl list | grep -q accel0'
check "smoke: accelctl list --json" sh -c 'accelctl list --json | grep -q "\"schema\""'
check "smoke: accelctl info" accelctl info --device accel0
check "smoke: accelctl info by PCI address" accelctl info --device "$(nca_pci)"
check "smoke: accelctl selftest" accelctl selftest --device accel0
accelctl info --device accel9 2>/dev/null
check "smoke: exit status 3 for a device that is not there" [ $? = 3 ]
dir=$(ls -d /sys/kernel/debug/accel/* | head -n 1)
check "smoke: debugfs has a directory for it" [ -n "$dir" ]
for f in "$dir"/*; do
	[ ! -f "$f" ] || check "smoke: debugfs ${f##*/} can be read" cat "$f"
done >/tmp/debugfs.out
grep '^\(not \)*ok ' /tmp/debugfs.out
check "smoke: tracepoints" test -d /sys/kernel/tracing/events/nca

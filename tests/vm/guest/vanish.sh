# SPDX-License-Identifier: MIT
# timeout: 240
# The device disappears from the bus under load and comes back: removed and found again by sysfs,
# while processes still hold on to the old one.
. /guest/lib.sh
need_module

# one NAME: vanish under load, remove, return, rescan.
one()
{
	local pci run lost rc

	pci=$(nca_pci)
	accelctl run /data/digits.ncx --device accel0 --size medium --input image=/data/images.npy \
		--repeat 1000000 >/tmp/log 2>&1 &
	run=$!
	wait_for 100 sh -c 't-usage | grep -q "queues=[1-9]"'
	# Emptied here: the background shell might do it only after the first look below.
	: >/tmp/lost
	t-lost -gh '. /guest/lib.sh; host sim vanish' >/tmp/lost 2>&1 &
	lost=$!
	wait_for 150 grep -q 'takes long\|cannot go on' /tmp/lost
	sed "s/ok lost:/ok vanish $1, lost:/" /tmp/lost
	check "vanish $1: t-lost went on to the end" grep -q '^ok .*takes long' /tmp/lost
	check "vanish $1: accelctl run ended" wait_for 30 sh -c "! kill -0 $run"
	kill -9 $run 2>/dev/null
	wait $run 2>/dev/null
	rc=$?
	check "vanish $1: and said so ($rc)" [ $rc != 0 -a $rc != 137 ]
	cat /tmp/log
	check "vanish $1: remove" sh -c "echo 1 > /sys/bus/pci/devices/$pci/remove"
	check "vanish $1: the node is gone" wait_for 10 sh -c '! test -e /dev/accel/accel0'
	check "vanish $1: whoever still holds it lives" kill -0 $lost
	check "vanish $1: return" host sim return
	echo 1 > /sys/bus/pci/rescan
	check "vanish $1: found again" wait_for 50 sh -c 'ls /dev/accel/accel*'
	kill -9 $lost
	wait $lost 2>/dev/null
}

one first
# The old one's minor number is free again once its last user has gone.
check "vanish: rmmod" wait_for 20 rmmod nca
check "vanish: insmod" load_module
check "vanish: selftest" accelctl selftest --device accel0
one second
wait_for 20 rmmod nca
load_module
check "vanish: user queues" t-queue
# Gone and back between two looks at it, nothing running.
host sim vanish
host sim return
pci=$(nca_pci)
echo 1 > "/sys/bus/pci/devices/$pci/remove"
echo 1 > /sys/bus/pci/rescan
check "vanish: short absence" wait_for 50 test -c /dev/accel/accel0
check "vanish: selftest after it" accelctl selftest --device accel0
# Gone for good while the module is removed.
host sim vanish
check "vanish: rmmod without a device" wait_for 20 rmmod nca
host sim return
echo 1 > "/sys/bus/pci/devices/$pci/remove"
echo 1 > /sys/bus/pci/rescan
check "vanish: insmod with the device back" load_module
check "vanish: selftest at the end" accelctl selftest --device accel0

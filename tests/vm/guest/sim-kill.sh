# SPDX-License-Identifier: MIT
# timeout: 120
# Last of all: the device's process is killed under load. Nothing hangs, all can be removed.
. /guest/lib.sh
need_module

pci=$(nca_pci)
accelctl run /data/digits.ncx --device accel0 --size medium --input image=/data/images.npy \
	--repeat 1000000 >/tmp/log 2>&1 &
run=$!
wait_for 100 sh -c 't-usage | grep -q "queues=[1-9]"'
t-lost -g '. /guest/lib.sh; host sim-kill'
check "sim-kill: t-lost" [ $? = 0 ]
check "sim-kill: accelctl run ended" wait_for 30 sh -c "! kill -0 $run"
kill -9 $run 2>/dev/null
wait $run 2>/dev/null
cat /tmp/log
check "sim-kill: remove" sh -c "echo 1 > /sys/bus/pci/devices/$pci/remove"
refuse "sim-kill: the node is gone" test -e /dev/accel/accel0
check "sim-kill: rmmod" wait_for 20 rmmod nca

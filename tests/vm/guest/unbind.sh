# SPDX-License-Identifier: MIT
# timeout: 120
# The healthy device is taken from the driver, and from the bus, with work outstanding.
. /guest/lib.sh
need_module

pci=$(nca_pci)
t-lost -g "echo $pci > /sys/bus/pci/drivers/nca/unbind"
check "unbind: t-lost" [ $? = 0 ]
refuse "unbind: the node is gone" test -e /dev/accel/accel0
check "unbind: bind" sh -c "echo $pci > /sys/bus/pci/drivers/nca/bind"
wait_for 50 test -c /dev/accel/accel0
check "unbind: selftest" accelctl selftest --device accel0
t-lost -g "echo 1 > /sys/bus/pci/devices/$pci/remove"
check "unbind: removed from the bus: t-lost" [ $? = 0 ]
echo 1 > /sys/bus/pci/rescan
wait_for 50 test -c /dev/accel/accel0
check "unbind: selftest after a rescan" accelctl selftest --device accel0

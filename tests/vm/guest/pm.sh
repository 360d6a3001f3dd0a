# SPDX-License-Identifier: MIT
# timeout: 60
# Suspend to idle, as far as the devices (pm_test), and a function-level reset through sysfs, both
# under load: contexts learn of a reset, and the device works afterwards.
. /guest/lib.sh
need_module

t-lost 'echo devices > /sys/power/pm_test; echo freeze > /sys/power/state'
check "pm: suspend and resume" [ $? = 0 ]
echo none > /sys/power/pm_test
check "pm: nothing left" wait_for 20 sh -c 't-usage | grep -q "contexts=0 .*state=0"'
check "pm: selftest" accelctl selftest --device accel0

reset=/sys/bus/pci/devices/$(nca_pci)/reset
check "pm: the function can be reset" test -w "$reset"
t-lost "echo 1 > $reset"
check "pm: function-level reset" [ $? = 0 ]
check "pm: nothing left after it" wait_for 20 sh -c 't-usage | grep -q "contexts=0 .*state=0"'
check "pm: selftest after it" accelctl selftest --device accel0

# SPDX-License-Identifier: MIT
# timeout: 60
# The module cannot be removed while the device is open, and can afterwards.
. /guest/lib.sh
need_module

exec 5<>/dev/accel/accel0
refuse "rmmod: refused while the node is open" rmmod nca
check "rmmod: and the device still answers" usage
exec 5>&-
sleep 1000 5<>/dev/accel/accel0 &
holder=$!
wait_for 20 sh -c "ls -l /proc/$holder/fd | grep -q accel0"
refuse "rmmod: refused while another process has it open" rmmod nca
kill -9 $holder
wait $holder 2>/dev/null
check "rmmod: fine when the last has closed it" wait_for 10 rmmod nca
refuse "rmmod: the node is gone" test -e /dev/accel/accel0
check "rmmod: the module is gone" sh -c '! grep -q "^nca " /proc/modules'
check "rmmod: insmod afterwards" load_module
check "rmmod: and the device works" accelctl selftest --device accel0

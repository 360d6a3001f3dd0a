# SPDX-License-Identifier: MIT
# timeout: 240
# The library's own tests, through the kernel module instead of the embedded device.
. /guest/lib.sh
need_module

before=$(usage)
for suite in buffer queue wait fork threads graph lost; do
	ACCEL_TEST_DEVICE=accel0 test_lib $suite >/tmp/log.lib 2>&1
	rc=$?
	[ $rc = 0 ] || cat /tmp/log.lib
	check "libaccel: $suite" [ $rc = 0 ]
done
check "libaccel: everything was given back" wait_for 10 usage_is "$before"
rm -f /tmp/log.lib

# SPDX-License-Identifier: MIT
# timeout: 60
# A device reset on request: every context learns of it, and the device works afterwards.
. /guest/lib.sh
need_module

t-lost t-reset
check "reset: t-lost" [ $? = 0 ]
check "reset: nothing left" wait_for 20 sh -c 't-usage | grep -q "contexts=0 .*state=0"'
check "reset: selftest" accelctl selftest --device accel0
check "reset: user queues" t-queue

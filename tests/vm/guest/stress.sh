# SPDX-License-Identifier: MIT
# timeout: 120
# Random calls from processes that are killed and reset under each other's feet.
. /guest/lib.sh
need_module

t-stress 20 4242
check "stress: t-stress" [ $? = 0 ]
check "stress: user queues afterwards" t-queue

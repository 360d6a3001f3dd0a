# SPDX-License-Identifier: MIT
# timeout: 20
# The guest itself: right kernel, panics armed, the line to the host works in both directions.
. /guest/lib.sh

check "boot: uname -r is $(cat /modules/version)" [ "$(uname -r)" = "$(cat /modules/version)" ]
for f in panic_on_warn panic_on_oops hung_task_panic; do
	check "boot: kernel.$f" [ "$(cat /proc/sys/kernel/$f)" = 1 ]
done
check "boot: hung-task limit of 10 s" [ "$(cat /proc/sys/kernel/hung_task_timeout_secs)" = 10 ]
check "boot: the host answers" [ "$(host ping 17)" = "pong 17" ]

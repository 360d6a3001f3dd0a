# SPDX-License-Identifier: MIT
# timeout: 90
# What the driver tells about itself, and the limits it keeps: fdinfo, sysfs, tracepoints,
# coredump, per-user limits, device memory that outlives its context,
# large buffers.
. /guest/lib.sh
need_module

sys=/sys/bus/pci/devices/$(nca_pci)/nca
check "info: sysfs state" [ "$(cat "$sys/state")" = working ]
check "info: sysfs slices_free" [ "$(cat "$sys/slices_free")" = 8 ]
check "info: sysfs target" grep -q '^nca[12]$' "$sys/target"
resets=$(cat "$sys/resets")

trace=/sys/kernel/tracing
echo 1 > $trace/events/nca/enable
t-info fdinfo
check "info: t-info fdinfo" [ $? = 0 ]
echo 0 > $trace/events/nca/enable
for e in nca_admin_submit nca_admin_complete nca_ctx_create nca_bind nca_unbind nca_queue_create \
	nca_queue_destroy nca_ctx_state nca_ctx_teardown; do
	check "info: tracepoint $e" grep -q "$e:" $trace/trace
done
echo > $trace/trace

t-info devmem
check "info: t-info devmem" [ $? = 0 ]

t-info large
check "info: t-info large" [ $? = 0 ]

par=/sys/module/nca/parameters
# The file system of the guest is made for root alone.
chmod 755 / /dev /dev/accel
chmod 666 /dev/accel/accel0
old="$(cat $par/max_user_contexts) $(cat $par/max_user_queues) $(cat $par/max_user_pinned_mb)"
echo 2 > $par/max_user_contexts
echo 3 > $par/max_user_queues
echo 1 > $par/max_user_pinned_mb
t-info user
check "info: t-info user" [ $? = 0 ]
set -- $old
echo "$1" > $par/max_user_contexts
echo "$2" > $par/max_user_queues
echo "$3" > $par/max_user_pinned_mb
chmod 600 /dev/accel/accel0

t-reset
check "info: reset" [ $? = 0 ]
check "info: sysfs resets counts" [ "$(cat "$sys/resets")" = $((resets + 1)) ]
dump=$(ls -d /sys/class/devcoredump/devcd*/data 2>/dev/null | head -n 1)
check "info: a reset leaves a coredump" grep -q '^nca coredump 1$' "$dump"
check "info: the coredump has registers" grep -q '^register status ' "$dump"
[ -z "$dump" ] || echo 1 > "$dump"
check "info: nothing left" wait_for 20 sh -c 't-usage | grep -q "contexts=0 .*pinned=0 .*state=0"'

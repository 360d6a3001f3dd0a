# SPDX-License-Identifier: MIT
# Sourced by the guest's init and by the test scripts.

MOD=/modules/nca.ko

# One message is one write and messages do not mix: several processes report at the same time.
to_host()
{
	(
		flock 7
		printf '%s\n' "$1" >&6
	) 7>/run/port.lock
}

say()
{
	to_host "T $*"
}

# host REQUEST...: the host's answer on stdout; fails when it begins with "error".
host()
{
	local answer

	answer=$(
		(
			flock 7
			printf 'H %s\n' "$*" >&6
			IFS= read -r line <&6
			printf '%s\n' "$line"
		) 7>/run/port.lock
	)
	printf '%s\n' "$answer"
	case $answer in
	error*) return 1 ;;
	esac
}

ok()
{
	echo "ok $*"
}

not_ok()
{
	echo "not ok $*"
}

# check NAME COMMAND...: one result from the exit status of a command.
check()
{
	local name=$1

	shift
	if "$@"; then
		ok "$name"
	else
		not_ok "$name"
	fi
}

# refuse NAME COMMAND...: the command has to fail.
refuse()
{
	local name=$1

	shift
	if "$@"; then
		not_ok "$name"
	else
		ok "$name"
	fi
}

# wait_for TENTHS COMMAND...: polls until the command succeeds, at most so many tenths of a second.
wait_for()
{
	local n=$1

	shift
	while ! "$@" >/dev/null 2>&1; do
		[ "$n" -gt 0 ] || return 1
		n=$((n - 1))
		usleep 100000
	done
}

# The test's output goes to the host line by line. A test that dies, or is still running after its
# time, has failed whatever it said before; what it leaves running ends with it.
run_test()
{
	local name=$1 file limit pid watch

	file=/guest/$name.sh
	say "test $name"
	echo "<6>test-guest: begin $name" > /dev/kmsg
	[ -f "$file" ] || { say "not ok $name: there is no such test"; return; }
	limit=$(sed -n 's/^# *timeout: *//p' "$file" | head -n 1)
	{
		setsid sh "$file" </dev/null 2>&1 &
		pid=$!
		( sleep "$limit"; kill -KILL -$pid ) >/dev/null 2>&1 &
		watch=$!
		wait $pid
		echo "exit $?"
		kill $watch
		kill -KILL -$pid 2>/dev/null
	} | while IFS= read -r line; do
		to_host "T $line"
	done
}

load_module()
{
	insmod "$MOD" "$@" && wait_for 50 test -c /dev/accel/accel0
}

# For tests that only want it to be there. The host may leave accel-sim without a CPU for longer
# than the driver's own limit on a heartbeat; only "hang" is about that one.
need_module()
{
	grep -q '^nca ' /proc/modules || insmod "$MOD"
	[ "$1" = strict ] || echo 3000 > /sys/module/nca/parameters/heartbeat_ms
	wait_for 50 test -c /dev/accel/accel0 || { not_ok "there is no /dev/accel/accel0"; exit 1; }
}

# The PCI address of the device, whether the module is loaded or not.
nca_pci()
{
	grep -l 0x120000 /sys/bus/pci/devices/*/class | head -n 1 | cut -d/ -f6
}

# usage: one line of what is in use on the device, for comparing before and after.
usage()
{
	t-usage
}

usage_is()
{
	[ "$(usage)" = "$1" ]
}

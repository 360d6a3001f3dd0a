#!/bin/bash
# SPDX-License-Identifier: MIT
# Usage: check.sh [SERIES]...
#
# `make check-vm`: every boot of tests/vm/plan on every kernel (or on those named). Goes on after
# a failure, so that one run shows all of them.

set -euo pipefail
. "$(dirname "$0")/env.sh"

# shellcheck disable=SC2046 # words
[ $# -gt 0 ] || set -- $(kernel_series)
"$VM_DIR/mkroot.sh" >/dev/null
"$VM_DIR/data.sh"
failed=() logs=()
for series in "$@"; do
	"$VM_DIR/build-module.sh" "$series" >"$TOP/build/vm/module-$series.log" 2>&1 || {
		cat "$TOP/build/vm/module-$series.log"
		die "the module does not build for $series"
	}
	if grep -q 'warning:' "$TOP/build/vm/module-$series.log"; then
		grep -A5 'warning:' "$TOP/build/vm/module-$series.log"
		failed+=("$series: compiler warnings")
	fi
	while read -r name options tests; do
		[ "$options" != - ] || options=
		rm -rf "$TOP/build/vm/$series-$name"
		logs+=("$TOP/build/vm/$series-$name/results.log")
		# shellcheck disable=SC2086 # options are words
		"$VM_DIR/run.sh" --series "$series" --name "$series-$name" $options \
			--tests "$tests" --timeout 1500 </dev/null || failed+=("$series-$name")
	done < <(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$VM_DIR/plan")
done
echo "check-vm: $(cat "${logs[@]}" | grep -c '^ok ') ok, $(cat "${logs[@]}" | grep -c '^not ok ') not ok, in ${#logs[@]} boots"
if [ ${#failed[@]} -gt 0 ]; then
	printf 'check-vm: FAILED: %s\n' "${failed[@]}"
	echo "check-vm: logs are in build/vm/<name>/{results,dmesg,console,accel-sim}.log"
	exit 1
fi
for series in "$@"; do
	echo "check-vm: $(kernel_version "$series"): all passed"
done

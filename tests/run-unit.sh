#!/bin/sh
# SPDX-License-Identifier: MIT
# Run CUnit programs one after another; fail at the end if any failed.
# usage: run-unit.sh BUILD NAME...
set -u
build=$1
shift
failed=
for t in "$@"; do
    echo "== $t ($build)"
    if ! timeout 600 "$build/tests/$t"; then
        echo "== $t FAILED"
        failed="$failed $t"
    fi
done
[ -z "$failed" ] || { echo "failed:$failed" >&2; exit 1; }
echo "all $# unit test programs passed"

#!/bin/sh
# SPDX-License-Identifier: MIT
# Run each libFuzzer target for a number of seconds; a finding fails the run.
# usage: run-fuzz.sh BUILD SECONDS NAME=SEED_DIR...
set -u
build=$1 seconds=$2
shift 2
failed=
for spec in "$@"; do
    name=${spec%%=*} seeds=${spec#*=}
    work=$build/corpus/$name
    mkdir -p "$work"
    echo "== $name, $seconds s"
    # shellcheck disable=SC2086 # an empty seed directory is no argument
    if ! "$build/fuzz/$name" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 \
        -print_final_stats=1 -verbosity=0 -artifact_prefix="$build/corpus/$name-" "$work" $seeds; then
        echo "== $name FOUND SOMETHING"
        failed="$failed $name"
    fi
done
[ -z "$failed" ] || { echo "findings:$failed" >&2; exit 1; }
echo "all $# fuzz targets clean"

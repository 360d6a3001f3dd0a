#!/bin/sh
# SPDX-License-Identifier: MIT
# Run each libFuzzer target for a number of seconds, as many at once as there
# are CPUs; a finding fails the run.
# usage: run-fuzz.sh BUILD SECONDS NAME=SEED_DIR...
set -u
build=$1 seconds=$2
shift 2

# One target; its output is shown in one piece when it is done.
run_one() {
    name=${1%%=*} seeds=${1#*=}
    work=$build/corpus/$name
    mkdir -p "$work"
    # shellcheck disable=SC2086 # an empty seed directory is no argument
    if "$build/fuzz/$name" -max_total_time="$seconds" -timeout=120 -rss_limit_mb=4096 \
        -print_final_stats=1 -verbosity=0 -artifact_prefix="$build/corpus/$name-" \
        "$work" $seeds >"$work.log" 2>&1; then
        verdict=clean
    else
        verdict="FOUND SOMETHING"
        cat "$work.log"
    fi
    echo "== $name, $seconds s: $(sed -n 's/^stat::number_of_executed_units: *//p' "$work.log") runs, $verdict"
    [ "$verdict" = clean ]
}

failed=$(mktemp)
trap 'rm -f "$failed"' EXIT
at_once=$(nproc) running=0
mkdir -p "$build/corpus"
for spec in "$@"; do
    (run_one "$spec" || echo "${spec%%=*}" >>"$failed") &
    running=$((running + 1))
    if [ $((running % at_once)) = 0 ]; then
        wait
    fi
done
wait
[ ! -s "$failed" ] || { echo "findings: $(xargs <"$failed")" >&2; exit 1; }
echo "all $# fuzz targets clean"

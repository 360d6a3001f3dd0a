#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Everything `make check` runs, in the order in which failures are cheapest to
# learn about. Goes on after a failure, so that one run shows all of them;
# prints a table of the steps and their totals, exits 1 if any failed.
# usage: check.sh BUILD [STEP...]
set -u
build=$1
shift
cd "$(dirname "$0")/.." || exit 1
jobs=-j$(nproc)
logs=$build/check
mkdir -p "$logs"
rm -f "$logs"/*.log

steps=(build clang unit cli digits onnx golden model asan tsan fuzz hostile lint models vm)
[ $# -gt 0 ] && steps=("$@")

run_step() {
    case $1 in
    build)    make "$jobs" WERROR=-Werror all unit-tests ;;
    clang)    make "$jobs" check-clang ;;
    unit)     make "$jobs" check-unit ;;
    cli)      make check-cli ;;
    digits)   tests/digits/demo.sh "$build" ;;
    onnx)     make "$jobs" check-onnx ;;
    golden)   make "$jobs" check-golden ;;
    model)    make check-model ;;
    asan)     make "$jobs" check-asan ;;
    tsan)     make "$jobs" check-tsan ;;
    fuzz)     make "$jobs" check-fuzz ;;
    hostile)  make check-hostile ;;
    lint)     make lint ;;
    models)   make check-models BATCHES=1 ;;
    vm)       make check-vm ;;
    *)        echo "check.sh: no step named '$1'; there are: ${steps[*]}" >&2; return 2 ;;
    esac
}

passed=0 failed=0 table=
for s in "${steps[@]}"; do
    echo "==== $s"
    start=$SECONDS
    if run_step "$s" > >(tee "$logs/$s.log") 2>&1; then
        passed=$((passed + 1)) verdict=passed
    else
        failed=$((failed + 1)) verdict=FAILED
    fi
    wait
    table+=$(printf '%-10s %-7s %5d s' "$s" "$verdict" $((SECONDS - start)))$'\n'
done
echo
echo "$table"
asserts=$(cat "$logs"/*.log | awk '$1 == "asserts" { n += $2 } END { print n + 0 }')
vm=$(sed -n 's/^check-vm: \([0-9]* ok, [0-9]* not ok, in [0-9]* boots\)$/\1/p' "$logs/vm.log" 2>/dev/null)
echo "CUnit assertions: $asserts; virtual machines: ${vm:-not run}"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]

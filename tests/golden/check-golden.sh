#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Vector files through nca-golden, and through a tensor engine in Verilog.
# usage: check-golden.sh BUILD
set -u
build=$1
golden=$build/bin/nca-golden
dir=$build/golden
failed=0

# expect CODE COMMAND...: runs it, shows what it said, compares its exit code.
expect() {
    local want=$1 code
    shift
    "$@" > "$dir/out" 2>&1
    code=$?
    if [ "$code" = "$want" ]; then
        grep -v "Verilog \$finish" "$dir/out" | tail -n 2 | sed 's/^/    /'
    else
        echo "FAILED: $*: exit code $code, expected $want"
        sed 's/^/    /' "$dir/out"
        failed=1
    fi
}

echo "== every opcode: made from a seed, read again, run again"
for target in nca1 nca2; do
    expect 0 "$golden" random all --target $target --count 20 --seed 11 -o "$dir/$target.ncavec"
    expect 0 "$golden" run "$dir/$target.ncavec"
    expect 0 "$golden" fill "$dir/$target.ncavec" -o "$dir/$target.again"
    expect 0 cmp "$dir/$target.ncavec" "$dir/$target.again"
done
have=$(sed -n 's/^case \(.*\)_[0-9]*$/\1/p' "$dir/nca2.ncavec" | sort -u | wc -l)
want=$("$golden" opcodes | wc -l)
[ "$have" = "$want" ] || { echo "FAILED: vectors of $have opcodes, there are $want"; failed=1; }
expect 0 "$golden" run tests/golden/hand.ncavec

echo "== a wrong expectation and a malformed file are noticed"
awk '/^expect/ && !done { n = length($5); c = substr($5, n); $5 = substr($5, 1, n - 1) (c == "0" ? "1" : "0"); done = 1 } { print }' \
    "$dir/nca1.ncavec" > "$dir/wrong.ncavec"
expect 8 "$golden" run "$dir/wrong.ncavec"
expect 8 "$golden" run --json "$dir/wrong.ncavec"
head -c 5000 "$dir/nca1.ncavec" > "$dir/cut.ncavec"
expect 6 "$golden" run "$dir/cut.ncavec"
expect 2 "$golden" random NO_SUCH_OPCODE

echo "== the array in Verilog"
mm() {      # mm NAME OPTION...: matmul cases the array can run
    local name=$1
    shift
    expect 0 "$golden" random MATMUL --plain "$@" -o "$dir/$name.ncavec"
    expect 0 "$golden" run "$dir/$name.ncavec"
}
mm bf16 --dtype bf16 --lanes 8 --elems 16 --count 600 --seed 21
mm fp32 --dtype fp32 --lanes 8 --elems 16 --count 300 --seed 22
mm small --dtype bf16 --lanes 2 --elems 8 --count 200 --seed 23
expect 0 "$dir/array/Vtb" +fma=300000
expect 0 "$dir/array/Vtb" "+vectors=$dir/bf16.ncavec"
expect 0 "$dir/array/Vtb" "+vectors=$dir/fp32.ncavec"

echo "== the same with a mistake in its rounding"
expect 8 "$dir/broken/Vtb" +fma=2000
expect 8 "$dir/broken/Vtb" "+vectors=$dir/small.ncavec"

[ "$failed" = 0 ] && echo "golden model: everything agrees"
exit "$failed"

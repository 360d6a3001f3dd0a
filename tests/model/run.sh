#!/bin/sh
# SPDX-License-Identifier: MIT
# Check the sleep and wake handshakes with spin: the protocol as documented must
# hold in every interleaving, and each of them must break without its fence.
# usage: run.sh BUILD
set -eu
build=$1
here=$(cd "$(dirname "$0")" && pwd)

# verify MODEL DEFINE -> the number of errors spin finds
verify() {
    dir=$build/model/$1$2
    rm -rf "$dir"
    mkdir -p "$dir"
    (
        cd "$dir"
        spin -a ${2:+-D$2} "$here/$1.pml" > spin.log
        ${CC:-cc} -O2 -w -DSAFETY -o pan pan.c
        ./pan -m100000 > pan.log 2>&1 || true
        sed -n 's/.*errors: \([0-9]*\).*/\1/p' pan.log
    )
}

bad=0
for model in queue_sleep queue_arm; do
    for fence in "" NO_FENCE_HOST NO_FENCE_DEVICE; do
        errors=$(verify $model "$fence")
        case "$fence:$errors" in
        :0)      echo "$model: holds in all interleavings" ;;
        :*)      echo "$model: BROKEN, see $build/model/$model/pan.log"; bad=1 ;;
        *:0|*:)  echo "$model with $fence: spin finds no error, so the model proves nothing"; bad=1 ;;
        *)       echo "$model with $fence: loses a wake-up, as it must" ;;
        esac
    done
done
exit $bad

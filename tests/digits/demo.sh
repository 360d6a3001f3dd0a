#!/bin/sh
# SPDX-License-Identifier: MIT
# Compile the digits network and classify the 360 held-out images with it on a
# medium context of the embedded device, in FP32 and BF16. Fails below 97 %, or
# if an FP32 output is not PyTorch's.
# usage: demo.sh BUILD
set -eu
build=$1
digits=$(dirname "$0")
out=$build/demo
mkdir -p "$out"

for precision in fp32 bf16; do
    echo
    "$build/bin/accelcc" "$digits/digits.onnx" -o "$out/digits-$precision.ncx" --precision $precision
    tolerance=1e-4
    [ $precision = fp32 ] || tolerance=0.1
    "$build/bin/accelctl" run "$out/digits-$precision.ncx" --device sim --size medium \
        --input image="$digits/images.npy" --output-dir "$out/$precision" \
        --labels "$digits/labels.npy" --min-accuracy 0.97 \
        --expect logits="$digits/logits.npy" --tolerance $tolerance
done

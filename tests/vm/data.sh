#!/bin/bash
# SPDX-License-Identifier: MIT
# Makes build/vm/data: the digits network, compiled; its images; and the outputs the embedded
# device has for them, which the device behind the driver must match bit for bit.

set -euo pipefail
. "$(dirname "$0")/env.sh"

d=$TOP/build/vm/data
rm -rf "$d.tmp"
mkdir -p "$d.tmp"
cp "$TOP/tests/digits/images.npy" "$d.tmp/"
"$TOP/build/bin/accelcc" "$TOP/tests/digits/digits.onnx" -o "$d.tmp/digits.ncx"
timeout 300 "$TOP/build/bin/accelctl" run "$d.tmp/digits.ncx" --device sim --size medium \
	--input image="$d.tmp/images.npy" --output-dir "$d.tmp" >/dev/null
[ -s "$d.tmp/logits.npy" ] || die "the embedded device gave no logits"
rm -rf "$d"
mv "$d.tmp" "$d"

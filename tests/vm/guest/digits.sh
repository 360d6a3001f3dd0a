# SPDX-License-Identifier: MIT
# timeout: 120
# The digits network on the device behind the driver: the same bits as on the embedded device.
. /guest/lib.sh
need_module

mkdir -p /tmp/out
check "digits: run" accelctl run /data/digits.ncx --device accel0 --size medium \
	--input image=/data/images.npy --output-dir /tmp/out
check "digits: outputs are bit-identical to the embedded device's" cmp /tmp/out/logits.npy /data/logits.npy
rm -rf /tmp/out

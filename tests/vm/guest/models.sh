# SPDX-License-Identifier: MIT
# timeout: 900
# Compiled networks (tests/models/vm.sh puts them there) give the same bits behind the driver as on
# the embedded device.
. /guest/lib.sh
need_module

for d in /data/models/*; do
	name=$(basename "$d")
	set --
	for f in "$d"/in.*.npy; do
		input=${f##*/in.}
		set -- "$@" --input "${input%.npy}=$f"
	done
	mkdir -p /tmp/out
	check "models: $name: run" accelctl run "$d/model.ncx" --device accel0 --size large "$@" \
		--output-dir /tmp/out --timeout 600
	for f in "$d"/want/*.npy; do
		check "models: $name: $(basename "$f" .npy) is bit-identical to the embedded device's" \
			cmp "/tmp/out/$(basename "$f")" "$f"
	done
	rm -rf /tmp/out
done

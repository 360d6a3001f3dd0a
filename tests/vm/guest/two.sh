# SPDX-License-Identifier: MIT
# timeout: 180
# Two processes at once, one with a medium and one with a large context.
. /guest/lib.sh
need_module

run()
{
	mkdir -p "/tmp/out.$1"
	accelctl run /data/digits.ncx --device accel0 --size "$1" --input image=/data/images.npy \
		--output-dir "/tmp/out.$1" --repeat 2 >"/tmp/log.$1" 2>&1
}

before=$(usage)
run medium & medium=$!
run large & large=$!
both=no
for i in $(seq 200); do
	case $(usage) in
	*contexts=2*) both=yes; break ;;
	esac
	usleep 10000
done
wait $medium
rc_medium=$?
wait $large
rc_large=$?
check "two: both had a context at the same time" [ $both = yes ]
check "two: medium ended well" [ $rc_medium = 0 ]
check "two: large ended well" [ $rc_large = 0 ]
cat /tmp/log.medium /tmp/log.large
for s in medium large; do
	check "two: outputs of $s are right" cmp "/tmp/out.$s/logits.npy" /data/logits.npy
done
check "two: everything was given back" wait_for 10 usage_is "$before"
rm -rf /tmp/out.* /tmp/log.*

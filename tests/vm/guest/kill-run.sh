# SPDX-License-Identifier: MIT
# timeout: 120
# accelctl killed in the middle of running a network, beside another one that is not.
. /guest/lib.sh
need_module

before=$(usage)
mkdir -p /tmp/out
accelctl run /data/digits.ncx --device accel0 --size medium --input image=/data/images.npy \
	--output-dir /tmp/out --repeat 20 >/tmp/log 2>&1 &
other=$!
wait_for 100 sh -c 't-usage | grep -q "queues=[1-9]"'
alone=$(usage)
for i in 1 2 3 4 5; do
	accelctl run /data/digits.ncx --device accel0 --size large --input image=/data/images.npy \
		--repeat 1000 >/dev/null 2>&1 &
	victim=$!
	wait_for 100 sh -c 't-usage | grep -q contexts=2'
	usleep $((100000 * i))
	check "kill-run: $i was running" kill -9 $victim
	wait $victim 2>/dev/null
	check "kill-run: $i gave everything back" wait_for 10 sh -c 't-usage | grep -q "contexts=1 .*reclaiming=0/0"'
done
wait $other
rc=$?
check "kill-run: the other ended well" [ $rc = 0 ]
check "kill-run: and its outputs are right" cmp /tmp/out/logits.npy /data/logits.npy
check "kill-run: all as before" wait_for 10 usage_is "$before"
rm -rf /tmp/out /tmp/log

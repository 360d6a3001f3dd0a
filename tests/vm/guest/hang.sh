# SPDX-License-Identifier: MIT
# timeout: 120
# The device stops doing anything. Everybody waiting learns of it, and the driver revives it.
. /guest/lib.sh
rmmod nca
need_module strict

accelctl run /data/digits.ncx --device accel0 --size medium --input image=/data/images.npy \
	--repeat 1000000 >/tmp/log 2>&1 &
run=$!
wait_for 100 sh -c 't-usage | grep -q "queues=[1-9]"'
t-lost '. /guest/lib.sh; host sim hang'
check "hang: t-lost" [ $? = 0 ]
check "hang: accelctl run ended, too" wait_for 30 sh -c "! kill -0 $run"
kill -9 $run 2>/dev/null
wait $run 2>/dev/null
rc=$?
cat /tmp/log
check "hang: and said so ($rc)" [ $rc != 0 -a $rc != 137 ]
check "hang: the device is working again" wait_for 50 sh -c 't-usage | grep -q "contexts=0 .*state=0"'
check "hang: selftest" accelctl selftest --device accel0
check "hang: user queues" t-queue

# SPDX-License-Identifier: MIT
# timeout: 180
# Loaded and removed twenty times; the device is whole each time, and no memory stays behind.
. /guest/lib.sh

wait_for 10 rmmod nca
for i in $(seq 20); do
	load_module || { not_ok "reload: insmod $i"; exit 1; }
	case $(usage) in
	*contexts=0*state=0*) ;;
	*) not_ok "reload: $i: $(usage)" ;;
	esac
	[ $i != 10 ] || check "reload: the device works after ten times" accelctl selftest --device accel0
	# Its uevent handlers may still hold the node for a moment.
	wait_for 20 rmmod nca || { not_ok "reload: rmmod $i"; exit 1; }
done
ok "reload: insmod and rmmod 20 times"
check "reload: once more" load_module
check "reload: the device works" accelctl selftest --device accel0

#!/bin/bash
# SPDX-License-Identifier: MIT
# Usage: mkinitramfs.sh SERIES OUT.cpio [PROGRAM|SOURCE=PATH-IN-GUEST]...
#
# Makes a guest's whole file system: busybox, the scripts of tests/vm/guest, the kernel's modules,
# nca.ko if it has been built, and the given host programs, each with the shared libraries it
# needs. SOURCE=PATH puts a file or directory somewhere else than /usr/bin.

set -euo pipefail
. "$(dirname "$0")/env.sh"

[ $# -ge 2 ] || die "usage: mkinitramfs.sh SERIES OUT.cpio [FILE]..."
series=$1
out=$(realpath -m "$2")
shift 2
cached=$(root_dir)
kver=$(kernel_version "$series")

t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
mkdir -p "$t"/usr/{bin,sbin,lib} "$t/usr/lib64" "$t/modules" "$t/guest" "$t/proc" "$t/sys" "$t/dev"
for d in bin sbin lib lib64; do
	ln -s "usr/$d" "$t/$d"
done

# All libraries lie in one directory, which init puts in LD_LIBRARY_PATH: run paths that point
# into the build tree mean nothing in the guest.
add_libs()
{
	local lib list

	list=$(ldd "$1" 2>/dev/null) || return 0	# static
	if grep -q 'not found' <<<"$list"; then
		die "$1 lacks a library: $(grep 'not found' <<<"$list" | xargs)"
	fi
	sed -n -e 's/.*=> \(\/[^ ]*\) (.*/\1/p' -e 's/^[[:space:]]*\(\/[^ ]*\) (.*/\1/p' <<<"$list" |
	while read -r lib; do
		case $lib in
		*/ld-linux*) cp -Lu "$lib" "$t/usr/lib64/" ;;
		*) cp -Lu "$lib" "$t/usr/lib/" ;;
		esac
	done
}

# The root's busybox has no flock.
for f in "$(command -v flock)" "$@"; do
	case $f in
	*=*)
		mkdir -p "$(dirname "$t/${f#*=}")"
		cp -rL "${f%%=*}" "$t/${f#*=}"
		;;
	*)
		[ -x "$f" ] || die "$f is not there; build it first"
		cp -L "$f" "$t/usr/bin/"
		add_libs "$f"
		;;
	esac
done

cp "$cached/root/usr/bin/busybox" "$t/usr/bin/"
cp "$VM_DIR"/guest/*.sh "$VM_DIR/guest/motd" "$t/guest/"
install -m 755 "$VM_DIR/guest/init" "$t/init"
cp "$cached/guest/$kver/modules"/*.ko "$cached/guest/$kver/order" "$t/modules/"
echo "$kver" > "$t/modules/version"
[ ! -f "$TOP/build/driver/$kver/nca.ko" ] || cp "$TOP/build/driver/$kver/nca.ko" "$t/modules/"

mkdir -p "$(dirname "$out")"
( cd "$t" && find . | LC_ALL=C sort | root_exec "$cached/root" cpio -o -H newc -R 0:0 --quiet ) > "$out.tmp"
mv "$out.tmp" "$out"

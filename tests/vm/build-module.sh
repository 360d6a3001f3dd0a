#!/bin/bash
# SPDX-License-Identifier: MIT
# Usage: build-module.sh SERIES|all [MAKE-ARGUMENT...]
#
# Builds nca.ko for the cached kernel of SERIES (as named in tests/vm/kernels) into
# build/driver/<kernel version>/nca.ko with that kernel's headers and compiler. The sources are
# copied first, so that kbuild leaves nothing in the tree and two kernels do not share objects.
# MAKE-ARGUMENTs go to kbuild, for example C=2 to run sparse.
#
# NCA_MODULE_SRC names another directory with a Kbuild file to build instead of this tree.

set -euo pipefail
. "$(dirname "$0")/env.sh"

build_one()
{
	local series=$1 root kver out src f

	shift
	root=$(root_dir)/root
	kver=$(kernel_version "$series")
	out=$TOP/build/driver/$kver
	src=${NCA_MODULE_SRC:-$TOP}
	[ -f "$src/Kbuild" ] || die "there is no Kbuild in $src"
	mkdir -p "$out/src"
	exec 8> "$out/lock"
	flock 8
	# Files that have gone from the tree must not go on being found by the copy's includes.
	( cd "$out/src" && find . -name '*.[ch]' ! -name '*.mod.c' ) | while read -r f; do
		[ -e "$src/$f" ] || rm -f "$out/src/$f"
	done
	( cd "$src" && find . -path ./build -prune -o -path ./.git -prune -o -type f \
		\( -path ./Kbuild -o -path './driver/*' -o -path './include/*' \) -print ) |
		tar -C "$src" -c -T - | tar -C "$out/src" -x
	IN_ROOT_SRC=$src IN_ROOT_OUT=$out in_root "$root" \
		make -C "/usr/src/linux-headers-$kver" M=/mnt/out/src W=1 -j"$(nproc)" \
		"$@" modules
	[ -s "$out/src/nca.ko" ] || die "kbuild made no nca.ko for $kver"
	cp "$out/src/nca.ko" "$out/nca.ko"
	exec 8>&-
	echo "build/driver/$kver/nca.ko"
}

[ $# -ge 1 ] || die "say which kernel series to build for ($(kernel_series | xargs)), or all"
"$VM_DIR/mkroot.sh" >/dev/null
which=$1
shift
[ "$which" != all ] || which=$(kernel_series | xargs)
for s in $which; do
	build_one "$s" "$@"
done

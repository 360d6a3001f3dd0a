#!/bin/bash
# SPDX-License-Identifier: MIT
# Usage: lint.sh
#
# Style and static checks of driver/: checkpatch --strict, sparse, and a build with W=1 and
# warnings as errors for every kernel the module is tested on. Fails on anything reported.
#
# checkpatch.pl is not part of Debian's header packages; it is taken once out of the
# linux-source package of the host's release and kept in the cache.

set -euo pipefail
VM_SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")/../vm" && pwd)
. "$VM_SCRIPTS/env.sh"
VM_DIR=$VM_SCRIPTS
TOP=$(cd "$VM_DIR/../.." && pwd)

# Prints the directory that has scripts/checkpatch.pl, with its word lists beside it.
checkpatch_dir()
{
	local pkg tmp dir=$NCA_CACHE/checkpatch

	if [ ! -s "$dir/scripts/checkpatch.pl" ]; then
		pkg=$(apt-cache depends linux-source | awk '/Depends: linux-source-/ { print $2; exit }')
		[ -n "$pkg" ] || die "apt knows no linux-source package; run apt-get update"
		mkdir -p "$NCA_CACHE"
		tmp=$(mktemp -d "$NCA_CACHE/checkpatch.tmp.XXXXXX")
		chmod 755 "$tmp"
		echo "lint: fetching $pkg for checkpatch.pl" >&2
		( cd "$tmp" && apt-get -q -q -o APT::Sandbox::User=root download "$pkg" >&2 )
		# tar stops reading when it has the three files: that is no failure of the others.
		( set +o pipefail
		  dpkg-deb --fsys-tarfile "$tmp"/*.deb 2>/dev/null |
			tar -x -O --wildcards './usr/src/linux-source-*.tar.xz' 2>/dev/null |
			tar -x -J -C "$tmp" --strip-components=1 --wildcards --occurrence=1 \
				'linux-source-*/scripts/checkpatch.pl' \
				'linux-source-*/scripts/spelling.txt' \
				'linux-source-*/scripts/const_structs.checkpatch' ) || true
		[ -s "$tmp/scripts/checkpatch.pl" ] || die "no checkpatch.pl in $pkg"
		rm -f "$tmp"/*.deb
		rm -rf "$dir"
		mv "$tmp" "$dir"
	fi
	echo "$dir"
}

bad=0

dir=$(checkpatch_dir)
# NEW_TYPEDEFS and the like stay on; --no-tree because the files are not in a kernel tree.
if ! ( cd "$TOP" && perl "$dir/scripts/checkpatch.pl" --strict --no-tree --no-summary --terse \
	--max-line-length=100 --show-types -f driver/*.[ch] ); then
	echo "lint: checkpatch found something in driver/" >&2
	bad=1
fi

"$VM_DIR/mkroot.sh" >/dev/null
for series in $(kernel_series); do
	kver=$(kernel_version "$series")
	log=$TOP/build/driver/$kver/lint.log
	args=()
	# Debian leaves a script out that kbuild needs to run sparse on newer kernels.
	if [ -e "$(root_dir)/root/usr/src/linux-headers-$kver/../linux-headers-${kver%-*}-common/scripts/checker-valid.sh" ] ||
	   ! grep -qs checker-valid "$(root_dir)/root/usr/src/linux-headers-${kver%-*}-common/Makefile"; then
		args+=(C=2)
	fi
	mkdir -p "${log%/*}"
	# Everything is compiled again, or warnings of an earlier build would not be seen.
	rm -f "$TOP/build/driver/$kver"/src/driver/*.o
	if ! "$VM_DIR/build-module.sh" "$series" KCFLAGS=-Werror "${args[@]}" >"$log" 2>&1 ||
	   grep -E '(warning|error):' "$log" >&2; then
		echo "lint: driver/ does not build cleanly for $kver, see ${log#"$TOP"/}" >&2
		bad=1
	fi
	if [ ${#args[@]} -gt 0 ] && ! grep -q '^  CHECK ' "$log"; then
		echo "lint: sparse did not run for $kver, see ${log#"$TOP"/}" >&2
		bad=1
	fi
done
[ $bad = 0 ] && echo "lint: driver/ is clean under checkpatch --strict, sparse and W=1"
exit $bad

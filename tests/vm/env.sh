# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Sourced by the scripts of this directory: where things are, and how to run programs of the root.

VM_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOP=$(cd "$VM_DIR/../.." && pwd)
NCA_CACHE=${NCA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/nca}

die()
{
	echo "$(basename "$0"): $*" >&2
	exit 1
}

# The name changes with everything the root is made from, so a changed list makes a new one and
# two checkouts with the same lists share one.
root_dir()
{
	local key

	key=$(cat "$VM_DIR/packages" "$VM_DIR/kernels" "$VM_DIR/mkroot.sh" | sha256sum | cut -c1-16)
	echo "$NCA_CACHE/vm-$key"
}

# kernel_version SERIES: the full version string of the cached kernel, e.g. 6.12.1+deb13-amd64.
kernel_version()
{
	local f

	f=$(root_dir)/kernels/$1
	[ -s "$f" ] || die "no kernel of series '$1' in the root; tests/vm/kernels names the known ones"
	cat "$f"
}

kernel_series()
{
	sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$VM_DIR/kernels" | awk '{ print $1 }'
}

# root_exec ROOT NAME ARGUMENT...: runs /usr/bin/NAME of a root on the host, without chroot and
# without privileges: by the root's own dynamic linker and libraries. A name "a:b" runs program b
# under the name a. With ROOT_EXEC_WITH=exec the program takes the place of the caller.
root_exec()
{
	local libs=$1/usr/lib/x86_64-linux-gnu prog=$1/usr/bin/${2##*:} ld=$1/usr/lib64/ld-linux-x86-64.so.2
	local -a cmd=("$ld" --library-path "$libs" --argv0 "${2%%:*}" "$prog")

	shift 2
	${ROOT_EXEC_WITH:-} "${cmd[@]}" "$@"
}

# in_root ROOT COMMAND...: runs COMMAND chrooted, with /proc, /dev and the source tree mounted in
# a mount namespace that goes away with it. Works for root and, by user namespaces, for others.
in_root()
{
	local root=$1
	local -a ns=(--mount --pid --fork --kill-child)

	shift
	[ "$(id -u)" = 0 ] || ns+=(--map-root-user)
	# shellcheck disable=SC2016 # for the inner shell to expand
	unshare "${ns[@]}" /bin/sh -ec '
		root=$1; src=$2; out=$3; shift 3
		mount -t proc proc "$root/proc"
		mount --rbind /dev "$root/dev"
		mount --bind "$src" "$root/mnt/src"
		mount --bind "$out" "$root/mnt/out"
		exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin HOME=/ LC_ALL=C TMPDIR=/tmp "$@"
	' in_root "$root" "${IN_ROOT_SRC:-$TOP}" "${IN_ROOT_OUT:?}" "$@"
}

#!/bin/bash
# SPDX-License-Identifier: MIT
# Makes, once, the private Debian root that holds QEMU, the kernels' build tools and the kernels
# themselves, and prints its directory.
#
# Packages are fetched by the host's apt with a configuration of its own and unpacked; none of
# their scripts runs, so neither root nor a container tool is needed. The mirror is the one that
# the host itself uses for its Debian packages.

set -euo pipefail
. "$(dirname "$0")/env.sh"

SUITE=trixie
MODULES='drm drm_kms_helper drm_shmem_helper drm_exec gpu-sched'

# Prints "URI<TAB>option=value ..." of the host's main Debian archive: the first binary source
# that carries the "main" component of the release the host runs (or of SUITE) and is not one of
# the -updates or -security kind.
host_mirror()
{
	local codename f

	codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-$SUITE}")
	for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[ -f "$f" ] || continue
		sed -e 's/#.*//' "$f" | awk -v want="$codename" -v alt="$SUITE" '
			$1 == "deb" {
				opts = ""; i = 2
				if ($2 ~ /^\[/) {
					for (; i <= NF; i++) {
						w = $i; gsub(/^\[|\]$/, "", w)
						if (w != "") opts = opts " " w
						if ($i ~ /\]$/) { i++; break }
					}
				}
				main = 0
				for (j = i + 2; j <= NF; j++) if ($j == "main") main = 1
				if (main && ($(i + 1) == want || $(i + 1) == alt)) {
					print $i "\t" substr(opts, 2); exit
				}
			}'
	done
	for f in /etc/apt/sources.list.d/*.sources; do
		[ -f "$f" ] || continue
		# Comment lines may stand inside a stanza; continuation lines begin with a blank.
		sed -e '/^#/d' "$f" | awk -v want="$codename" -v alt="$SUITE" '
			function flush(   n, s, i, m, ok) {
				m = (" " v["components"] " ") ~ / main /
				n = split(v["suites"], s, " ")
				for (i = 1; i <= n; i++) if (s[i] == want || s[i] == alt) ok = 1
				if (ok && m && v["types"] ~ /(^| )deb( |$)/ &&
				    tolower(v["enabled"]) !~ /^(no|false|0)$/) {
					split(v["uris"], s, " ")
					o = ""
					# A key block in the file itself cannot be handed on in one line; the
					# system-wide keys are then tried.
					if (v["signed-by"] ~ /^\//) o = o " signed-by=" v["signed-by"]
					if (v["trusted"] != "") o = o " trusted=" v["trusted"]
					gsub(/, /, ",", o)
					print s[1] "\t" substr(o, 2); done = 1; exit
				}
				split("", v)
			}
			/^[[:space:]]*$/ { flush(); next }
			/^[^[:space:]]/ {
				k = tolower($0); sub(/:.*/, "", k)
				x = $0; sub(/^[^:]*:[[:space:]]*/, "", x); v[k] = x; next
			}
			{ sub(/^[[:space:]]+/, ""); v[k] = v[k] " " $0 }
			END { if (!done) flush() }'
	done
}

# The options of the host's source, with the architecture dropped: ours is always amd64.
source_options()
{
	local o out=

	for o in $1; do
		case ${o,,} in
		signed-by=*|trusted=*|check-date=*|check-valid-until=*|allow-insecure=*|allow-weak=*)
			out="$out $o" ;;
		esac
	done
	case "$out" in
	*signed-by=*|*trusted=yes*) ;;
	*)	# Before bookworm's default, keys lie in trusted.gpg.d, which is not ours to read as
		# a whole: use Debian's own keyring where it is installed.
		[ -f /usr/share/keyrings/debian-archive-keyring.gpg ] &&
			out="$out signed-by=/usr/share/keyrings/debian-archive-keyring.gpg" ;;
	esac
	echo "arch=amd64$out"
}

apt_setup()
{
	local line uri opts

	line=$(host_mirror | sed -n 1p)
	[ -n "$line" ] || die "no Debian archive with component main for this release in /etc/apt/sources.list*; add one"
	uri=${line%%$'\t'*}
	opts=$(source_options "${line#*$'\t'}")

	mkdir -p "$W"/apt/{parts,lists/partial,archives/partial,prefs,sources,trusted}
	# Proxies, retries and date checks of the host, but none of its hooks.
	apt-config dump | grep -E '^Acquire::' > "$W/apt/parts/10host" || true
	printf 'deb [%s] %s %s main\n' "$opts" "$uri" "$SUITE" "$opts" "$uri" "$SUITE-backports" \
		> "$W/apt/sources.list"
	: > "$W/apt/status"
	# Only what the list names comes from backports.
	{
		sed -e 's/#.*//' "$VM_DIR/packages" | awk -F/ 'NF == 2 { print $1, $2 }' |
		while read -r name suite; do
			printf 'Package: %s\nPin: release n=%s\nPin-Priority: 900\n\n' "$name" "$suite"
		done
	} > "$W/apt/prefs/10list"
	cat > "$W/apt/apt.conf" <<-CONF
		APT::Architecture "amd64";
		APT::Architectures { "amd64"; };
		APT::Install-Recommends "false";
		APT::Sandbox::User "root";
		APT::Get::AllowUnauthenticated "false";
		Acquire::Languages "none";
		Acquire::Retries "5";
		Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
		Dir::Etc::main "/dev/null";
		Dir::Etc::parts "$W/apt/parts";
		Dir::Etc::sourcelist "$W/apt/sources.list";
		Dir::Etc::sourceparts "$W/apt/sources";
		Dir::Etc::preferences "/dev/null";
		Dir::Etc::preferencesparts "$W/apt/prefs";
		Dir::State::lists "$W/apt/lists";
		Dir::State::status "$W/apt/status";
		Dir::State::extended_states "$W/apt/extended_states";
		Dir::Cache::archives "$W/apt/archives";
		Dir::Cache::pkgcache "";
		Dir::Cache::srcpkgcache "";
		Dir::Log "$W/apt";
		Debug::NoLocking "true";
	CONF
	export APT_CONFIG=$W/apt/apt.conf
}

# newest PREFIX SUFFIX: the highest version V for which package PREFIX<V>SUFFIX exists, V having
# no flavour in it (so not cloud or rt).
newest()
{
	apt-cache pkgnames "$1" | sed -n "s/^linux-[a-z]*-\(${SERIES_RE}[0-9.]*[+~a-z0-9.]*\)-amd64\$/\1/p" |
		sort -Vu | tail -n 1
}

fetch_kernel()
{
	local series=$1 suite=$2 v kver image
	local -a pk=()

	SERIES_RE=${series//./\\.}\\.
	v=$(newest "linux-headers-$series.")
	[ -n "$v" ] || die "the mirror has no generic amd64 kernel of series $series in $suite"
	kver=$v-amd64
	# From 7.x on, linux-image is empty: the image and the modules have packages of their own.
	image=linux-image-$kver
	if apt-cache show "linux-binary-$kver" >/dev/null 2>&1; then
		pk+=("linux-binary-$kver" "linux-modules-$kver")
	else
		pk+=("$image")
	fi
	pk+=("linux-headers-$kver" "linux-headers-$v-common" "linux-kbuild-$v")
	( cd "$W/kdeb" && apt-get -q -q download "${pk[@]}" )
	echo "$kver" > "$W/kernels/$series"
}

# Out of some four thousand modules keeps the few that guests load, together with what these
# depend on, uncompressed as busybox wants them, and the order to load them in.
keep_guest_files()
{
	local kver=$1 base dir to m f

	base=$W/kx
	[ -d "$base/lib/modules" ] || base=$W/kx/usr
	dir=$base/lib/modules/$kver
	to=$W/guest/$kver
	[ -d "$dir/kernel" ] || die "no modules of $kver in its packages"
	mkdir -p "$to/modules"
	for f in "$W/kx/boot/vmlinuz-$kver" "$dir/vmlinuz"; do
		[ ! -f "$f" ] || cp "$f" "$to/vmlinuz"
	done
	[ -s "$to/vmlinuz" ] || die "no image of $kver in its packages"
	# The 7.x packages have no list of what is built in, which depmod can do without.
	root_exec "$W/root" depmod:kmod -b "$base" "$kver" 2>/dev/null
	for m in $MODULES; do
		# What is built into one of the kernels, or not part of it, is no module there.
		root_exec "$W/root" modprobe:kmod -d "$base" -S "$kver" --show-depends "$m" 2>/dev/null |
			awk '$1 == "insmod" { print $2 }' || true
	done | awk '!seen[$0]++' | while read -r m; do
		f=$(basename "$m")
		case $m in
		*.xz) f=${f%.xz}; xz -dc "$m" > "$to/modules/$f" ;;
		*) cp "$m" "$to/modules/$f" ;;
		esac
		echo "$f"
	done > "$to/order"
	grep -q '^drm_shmem_helper' "$to/order" || die "no DRM modules among those of $kver"
}

make_root()
{
	local deb series suite

	W=$CACHED.tmp.$$
	# Under the lock nobody else is making one: what is left over was cut short.
	rm -rf "$NCA_CACHE"/vm-*.tmp.*
	# Of earlier lists, and not used for a month.
	find "$NCA_CACHE" -maxdepth 1 -name 'vm-*' -type d -mtime +30 -exec rm -rf {} +
	mkdir -p "$W"/{root,kernels,kdeb,kx,guest}
	trap 'rm -rf "$W"' EXIT
	apt_setup
	echo "mkroot: reading the package lists of $SUITE and $SUITE-backports" >&2
	apt-get -q -q update >&2
	echo "mkroot: fetching packages" >&2
	sed -e 's/#.*//' -e 's,/.*,,' -e '/^[[:space:]]*$/d' "$VM_DIR/packages" |
		xargs apt-get -q -q -y --no-install-recommends --download-only install >&2
	sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$VM_DIR/kernels" |
	while read -r series suite; do
		fetch_kernel "$series" "$suite" >&2
	done

	echo "mkroot: unpacking" >&2
	# The merged /usr first, so that nothing creates /bin or /lib as directories of their own.
	mkdir -p "$W"/root/usr/{bin,sbin,lib,lib64}
	for deb in bin sbin lib lib64; do
		ln -s "usr/$deb" "$W/root/$deb"
	done
	for deb in "$W"/apt/archives/*.deb "$W"/kdeb/linux-headers-* "$W"/kdeb/linux-kbuild-*; do
		dpkg-deb --fsys-tarfile "$deb" | tar -C "$W/root" -x --no-same-owner \
			--keep-directory-symlink \
			--exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' \
			--exclude='./usr/share/locale/*' --exclude='./usr/share/info/*'
	done
	# What maintainer scripts would have done, as far as a kernel build needs it.
	[ -e "$W/root/usr/bin/sh" ] || ln -s dash "$W/root/usr/bin/sh"
	[ -e "$W/root/usr/bin/awk" ] || ln -s mawk "$W/root/usr/bin/awk"
	mkdir -p "$W"/root/{proc,dev,tmp,mnt/src,mnt/out}

	for deb in "$W"/kdeb/linux-image-* "$W"/kdeb/linux-binary-* "$W"/kdeb/linux-modules-*; do
		[ ! -e "$deb" ] || dpkg-deb -x "$deb" "$W/kx"
	done
	for series in $(kernel_series); do
		keep_guest_files "$(cat "$W/kernels/$series")"
	done
	rm -rf "$W/apt" "$W/kdeb" "$W/kx"
	( cd "$W" && find guest kernels -type f -exec sha256sum {} + ) > "$W/sums"
	touch "$W/complete"
	rm -rf "$CACHED"
	mv "$W" "$CACHED"
	trap - EXIT
}

# A root that was cut short, or that somebody cleaned up in, is made anew.
usable()
{
	local series kver

	[ -e "$CACHED/complete" ] || return 1
	( cd "$CACHED" && sha256sum --quiet --status -c sums ) 2>/dev/null || return 1
	for series in $(kernel_series); do
		kver=$(cat "$CACHED/kernels/$series" 2>/dev/null) || return 1
		[ -f "$CACHED/root/usr/src/linux-headers-$kver/Makefile" ] || return 1
	done
	[ -x "$CACHED/root/usr/bin/gcc-14" ] && [ -x "$CACHED/root/usr/bin/pahole" ] || return 1
	"$VM_DIR/qemu.sh" -device help 2>/dev/null | grep -q '"vfio-user-pci"'
}

mkdir -p "$NCA_CACHE"
CACHED=$(root_dir)
exec 9> "$NCA_CACHE/vm.lock"
flock 9
if ! usable; then
	make_root
	usable || die "the root in $CACHED was made but does not work; look at its QEMU and headers, and remove it to try again"
	for s in $(kernel_series); do
		echo "mkroot: kernel $(kernel_version "$s")" >&2
	done
	echo "mkroot: $("$VM_DIR/qemu.sh" --version | head -n 1), $(du -sh "$CACHED" | cut -f1)" >&2
fi
touch "$CACHED"
echo "$CACHED"

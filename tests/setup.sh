#!/bin/bash
# SPDX-License-Identifier: MIT
# Installs what mvmbuild needs on Debian 12: tests/setup.sh [--print] [build|demo|check|bench],
# default build; each level includes the ones before it. It prints what it installs (with apt, and
# with sudo if not root), and does nothing if nothing is missing. On other systems it only looks for
# the tools and libraries and fails if one is missing. --print prints only the names of the
# packages.
set -euo pipefail

# Columns: level, Debian package, and what shows that another system has the same: a program, or
# lib: and a pkg-config module
table='
build pkg-config         pkg-config
build gcc                gcc
build make               make
build libyaml-dev        lib:yaml-0.1
build libarchive-dev     lib:libarchive
build zlib1g-dev         lib:zlib
build libext2fs-dev      lib:ext2fs
build uuid-dev           lib:uuid
build libsqlite3-dev     lib:sqlite3
build libzstd-dev        lib:libzstd
build libxxhash-dev      lib:libxxhash
build libssl-dev         lib:libcrypto
build libjson-c-dev      lib:json-c
build musl-tools         musl-gcc
demo  qemu-system-x86    qemu-system-x86_64
demo  nix-bin            nix-store
demo  squashfs-tools     mksquashfs
demo  busybox-static     busybox
check clang              clang
check clang-format       clang-format
check libclang-rt-14-dev clang
check libcmocka-dev      lib:cmocka
check shellcheck         shellcheck
check e2fsprogs          debugfs
check xfsprogs           mkfs.xfs
check btrfs-progs        mkfs.btrfs
check dosfstools         mkfs.vfat
check strace             strace
check libarchive-tools   bsdtar
check sqlite3            sqlite3
check kmod               modprobe
check jq                 jq
check git                git
check procps             pgrep
check xz-utils           xz
check zstd               zstd
check lz4                lz4
check iproute2           ip
check systemd            systemctl
check systemd-container  machinectl
check socat              socat
check erofs-utils        mkfs.erofs
check cryptsetup-bin     veritysetup
check curl               curl
check openssh-client     ssh
check libwrap0           sshd
check gcc-aarch64-linux-gnu aarch64-linux-gnu-gcc
check libc6-dev-arm64-cross aarch64-linux-gnu-gcc
check qemu-system-arm    qemu-system-aarch64
bench squashfs-tools-ng  gensquashfs
bench time               time
bench openssl            openssl
'

# Prints a column of the rows of all levels up to $level.
column() {
	awk -v column="$1" -v level="$level" \
		'NF == 0 { next } last && $1 != level { exit } $1 == level { last = 1 } { print $column }' <<<"$table"
}

missing_packages() {
	local -a packages
	mapfile -t packages < <(column 2)
	# dpkg-query fails when a package is unknown to it; that one is then not in its answer.
	# shellcheck disable=SC2016 # the fields are dpkg-query's
	{ dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${packages[@]}" 2>/dev/null ||
		true; } |
		awk -v wanted="${packages[*]}" '
			$1 == "installed" { have[$2] }
			END { n = split(wanted, name, " "); for (i = 1; i <= n; i++) if (!(name[i] in have)) print name[i] }'
}

missing_elsewhere() {
	local sign
	PATH=$PATH:/usr/sbin:/sbin
	for sign in $(column 3); do
		case $sign in
		lib:*) pkg-config --exists "${sign#lib:}" 2>/dev/null ||
			echo "the library ${sign#lib:}, with its headers" ;;
		*) command -v "$sign" >/dev/null || echo "$sign" ;;
		esac
	done
}

elsewhere() {
	local missing
	missing=$(missing_elsewhere)
	[ -n "$missing" ] || return 0
	{
		echo "setup: this is not Debian 12, so please install what is missing:"
		printf '%s\n' "$missing" | sed 's/^/  /'
		echo "Debian's packages for all of it: $(column 2 | paste -sd ' ')"
	} >&2
	return 1
}

apt_install() {
	local -a as_root=()
	if [ "$(id -u)" != 0 ]; then
		if ! command -v sudo >/dev/null; then
			echo "setup: please run as root: apt-get install --no-install-recommends $*" >&2
			return 1
		fi
		as_root=(sudo)
	fi
	echo "setup: installing $*" >&2
	local -a install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get \
		-o Acquire::Retries=3 install -y -q --no-install-recommends "$@")
	# The package lists are read again only if they are missing or too old.
	"${install[@]}" >&2 || { "${as_root[@]}" apt-get update -q >&2 && "${install[@]}" >&2; }
}

print=false
level=build
for argument; do
	case $argument in
	--print) print=true ;;
	build | demo | check | bench) level=$argument ;;
	*)
		sed -n '3,5s/^# //p' "$0" >&2
		exit 2
		;;
	esac
done

if $print; then
	column 2
	exit
fi
if [ "$(sed -n 's/^\(ID\|VERSION_ID\)="\?\([^"]*\)"\?$/\2/p' /etc/os-release 2>/dev/null | sort |
	paste -sd ' ')" != "12 debian" ]; then
	elsewhere
	exit
fi
mapfile -t missing < <(missing_packages)
[ "${#missing[@]}" = 0 ] || apt_install "${missing[@]}"

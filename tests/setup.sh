#!/bin/bash
# SPDX-License-Identifier: MIT
# Installs what mvmbuild needs on Debian and Ubuntu: tests/setup.sh [--print|--table]
# [build|demo|check|bench], default build; each level includes the ones before it. It prints what it
# installs (with apt, and with sudo if not root), and does nothing if nothing is missing. On other
# systems it only looks for the tools and libraries, and fails if one is missing. --print prints
# the names of Debian's packages and does nothing else, --table those of other distributions too.
set -euo pipefail

# Columns: level, Debian package, and what shows that another system has the same: a program, or
# lib: and a pkg-config module; for the build, the packages of Fedora, openSUSE, Arch Linux and Nix
table='
build pkg-config     pkg-config      pkgconf-pkg-config pkg-config        pkgconf         pkg-config
build gcc            gcc             gcc                gcc               gcc             gcc
build libc6-dev      hdr:string.h    glibc-devel        glibc-devel       glibc           -
build make           make            make               make              make            gnumake
build libyaml-dev    lib:yaml-0.1    libyaml-devel      libyaml-devel     libyaml         libyaml
build libarchive-dev lib:libarchive  libarchive-devel   libarchive-devel  libarchive      libarchive
build zlib1g-dev     lib:zlib        zlib-devel         zlib-devel        zlib            zlib
build libext2fs-dev  lib:ext2fs      e2fsprogs-devel    libext2fs-devel   e2fsprogs       e2fsprogs
build comerr-dev     lib:com_err     libcom_err-devel   libcom_err-devel  e2fsprogs       e2fsprogs
build uuid-dev       lib:uuid        libuuid-devel      libuuid-devel     util-linux-libs libuuid
build libsqlite3-dev lib:sqlite3     sqlite-devel       sqlite3-devel     sqlite          sqlite
build libzstd-dev    lib:libzstd     libzstd-devel      libzstd-devel     zstd            zstd
build liblz4-dev     lib:liblz4      lz4-devel          liblz4-devel      lz4             lz4
build libxxhash-dev  lib:libxxhash   xxhash-devel       xxhash-devel      xxhash          xxHash
build libssl-dev     lib:libcrypto   openssl-devel      libopenssl-devel  openssl         openssl
build libjson-c-dev  lib:json-c      json-c-devel       libjson-c-devel   json-c          json_c
build musl-tools     musl-gcc        musl-gcc           musl-devel        musl            musl
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
check mandoc             mandoc
check python3-jsonschema jsonschema
check python3-yaml       python3
check ninja-build        ninja
check git                git
check procps             pgrep
check xz-utils           xz
check zstd               zstd
check lz4                lz4
check iproute2           ip
check nftables           nft
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
	awk -v column="$1" -v level="$level" '
		NF == 0 { next }
		last && $1 != level { exit }
		$1 == level { last = 1 }
		NF >= column && $column != "-" { print $column }' <<<"$table"
}

# The release of this system: "debian 12", "fedora 42", …
release=$(sed -n 's/^\(ID\|VERSION_ID\)="\?\([^"]*\)"\?$/\1 \2/p' /etc/os-release 2>/dev/null |
	sort | cut -d ' ' -f 2 | paste -sd ' ')

debian_packages() {
	case $release in
	'debian 12') column 2 ;;
	*) column 2 | sed 's/^libclang-rt-14-dev$/libclang-rt-dev/' ;; # clang has another version
	esac
}

# Whether apt installs packages with Debian's names here.
has_apt() {
	command -v apt-get >/dev/null && command -v dpkg-query >/dev/null &&
		grep -Eq '^(ID|ID_LIKE)=.*\b(debian|ubuntu)\b' /etc/os-release
}

missing_packages() {
	local -a packages
	mapfile -t packages < <(debian_packages)
	# dpkg-query fails when a package is unknown to it; that one is then not in its answer.
	# shellcheck disable=SC2016 # the fields are dpkg-query's
	{ dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${packages[@]}" 2>/dev/null ||
		true; } |
		awk -v wanted="${packages[*]}" '
			$1 == "installed" { have[$2] }
			END { n = split(wanted, name, " "); for (i = 1; i <= n; i++) if (!(name[i] in have)) print name[i] }'
}

compiles() { # OPTION...: whether an empty program compiles
	echo 'int main(void) { return 0; }' | ${CC:-cc} -o /dev/null -xc - "$@" 2>/dev/null
}

missing_elsewhere() {
	local sign
	PATH=$PATH:/usr/sbin:/sbin
	for sign in $(column 3); do
		case $sign in
		lib:*) pkg-config --exists "${sign#lib:}" 2>/dev/null ||
			echo "the library ${sign#lib:}, with its headers" ;;
		musl-gcc) command -v "${MUSL_CC:-$sign}" >/dev/null || echo "$sign" ;;
		hdr:*) compiles -include "${sign#hdr:}" || echo "the C library's headers" ;;
		*) command -v "$sign" >/dev/null || echo "$sign" ;;
		esac
	done
}

# Prints the command that installs the packages for a build on this system, if it is known.
install_command() {
	level=build
	case $release in
	fedora*) echo "dnf install $(column 4 | paste -sd ' ') glibc-static musl-libc-static" ;;
	opensuse* | sles*) echo "zypper install $(column 5 | paste -sd ' ') glibc-devel-static" ;;
	arch*) echo "pacman -S --needed $(column 6 | sort -u | paste -sd ' ')" ;;
	nixos*) echo "nix-shell -p $(column 7 | sort -u | paste -sd ' ') glibc.static" ;;
	*) echo "packages that Debian calls $(column 2 | paste -sd ' ')" ;;
	esac
}

elsewhere() {
	local missing
	if ! compiles -static -lsqlite3 -lm; then
		echo "setup: there is no static SQLite here, so mvmbuild is built without mvm-nix-db" >&2
		echo "setup: (docs/dependencies.md says what is lost)" >&2
	fi
	missing=$(missing_elsewhere)
	[ -n "$missing" ] || return 0
	{
		echo "setup: this is neither Debian nor Ubuntu, so please install what is missing:"
		printf '%s\n' "$missing" | sed 's/^/  /'
		echo "setup: what a build needs (the names were not tried):"
		echo "  $(install_command)"
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

# Prints the packages for a build as a table in Markdown.
print_table() {
	echo '| Debian, Ubuntu | Fedora | openSUSE | Arch Linux | Nix |'
	echo '|---|---|---|---|---|'
	awk '$1 == "build" { printf "| %s | %s | %s | %s | %s |\n", $2, $4, $5, $6, $7 }' <<<"$table"
}

action=install
level=build
for argument; do
	case $argument in
	--print) action=print ;;
	--table) action=table ;;
	build | demo | check | bench) level=$argument ;;
	*)
		sed -n '3,8s/^# //p' "$0" >&2
		exit 2
		;;
	esac
done

case $action in
print) debian_packages ;;
table) print_table ;;
*)
	if has_apt; then
		mapfile -t missing < <(missing_packages)
		[ "${#missing[@]}" = 0 ] || apt_install "${missing[@]}"
	else
		elsewhere
	fi
	;;
esac

#!/bin/bash
# SPDX-License-Identifier: MIT
# Prints the directory of an unpacked Debian kernel package (boot/vmlinuz-VERSION,
# lib/modules/VERSION): tests/e2e/lib/kernel.sh [FLAVOUR], FLAVOUR amd64 (default), cloud-amd64 or
# cloud-arm64. The first call downloads it by apt, 70 MB (cloud: 28 MB), into $MVM_KERNEL_CACHE
# (default: build/kernel); needs no root. cloud-arm64 has a static busybox beside it, bin/busybox.
# MVM_TEST_KERNEL=DIR replaces the one for amd64.
set -euo pipefail

# Debian 12's own series: later kernels oops at random under QEMU 7.2's TCG.
series=6.1
flavour=${1:-amd64}
top=$(cd "$(dirname "$0")/../../.." && pwd)
cache=${MVM_KERNEL_CACHE:-$top/build/kernel}
# shellcheck source=tests/e2e/lib/apt.sh
. "$top/tests/e2e/lib/apt.sh"

if [ -n "${MVM_TEST_KERNEL:-}" ] && [[ $flavour != *arm64 ]]; then
	echo "$MVM_TEST_KERNEL"
	exit
fi
if [ -d "$cache/$flavour" ]; then
	echo "$cache/$flavour"
	exit
fi

mkdir -p "$cache"
exec 9>"$cache/.lock"
flock 9
if [ -d "$cache/$flavour" ]; then # another call has just made it
	echo "$cache/$flavour"
	exit
fi
work=$cache/.work
trap 'rm -rf "$work"' EXIT
rm -rf "$work"
mkdir "$work"

# The name of the newest package: linux-image-6.1.0-NN-amd64.
newest() {
	apt-cache "${apt[@]}" search --names-only \
		"^linux-image-${series//./\\.}\\.[0-9]+-[0-9]+-$flavour\$" | cut -d ' ' -f 1 |
		sort -V | tail -n 1
}

download() {
	local -a packages
	mapfile -t packages < <(newest)
	[ "${#packages[@]}" = 1 ] || return
	[[ $flavour != *arm64 ]] || packages+=(busybox-static:arm64)
	echo "kernel: downloading ${packages[*]}" >&2
	(cd "$work" && apt-get "${apt[@]}" download -q "${packages[@]}") >&2
}

apt=()
[[ $flavour != *arm64 ]] || apt=(-o APT::Architecture=arm64 -o APT::Architectures=arm64)
apt_try "$work" download || {
	echo "kernel: apt knows no linux-image-$series.*-$flavour; set MVM_TEST_KERNEL to the directory of one" >&2
	exit 1
}
deb_unpack "$work" "$work"/linux-image-*.deb ./boot ./lib/modules
mkdir "$work/$flavour"
mv "$work/boot" "$work/lib" "$work/$flavour/"
for package in "$work"/busybox-static_*.deb; do
	if [ -e "$package" ]; then deb_unpack "$work/$flavour" "$package" ./bin/busybox; fi
done
mv "$work/$flavour" "$cache/$flavour"
echo "$cache/$flavour"

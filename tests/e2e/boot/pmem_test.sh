#!/bin/bash
# SPDX-License-Identifier: MIT
# Boots a store disk that is persistent memory: the guest maps the host's pages, so its page cache
# does not grow.
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
guest_setup
limit=240
guest=$(guest_build pmem-guest) || exit 1
payload=$(nix_build "$top/tests/e2e/lib/nix/pmem-guest.nix" payload) || exit 1
sum=$(sha256sum "$payload") sum=${sum%% *}

built() { # NAME DEVICE [LINE]...
	{
		fast_kernel
		echo "storeDisk: {type: erofs, compression: none, device: $2}"
		printf '%s\n' "${@:3}"
	} | compile "$1" "$guest" || finish
	boot "$1" '^pmem: '
	ends_well "$1: the guest ends by itself"
	expect "$1: the guest reads its store" "$console" "^pmem: payload $sum"
}

built block block
expect "a virtio disk is read through the guest's page cache" "$console" \
	'^pmem: the page cache grew by [0-9]+ KB'

built pmem pmem 'qemu: {machine: q35}' \
	'volumes: [{image: keep.img, size: 16, mountPoint: /keep}]'
expect "the store is mounted with DAX" "$console" \
	"^pmem: store /dev/pmem0 $NIX_STORE_DIR erofs ro,.*dax=always"
check "the guest's page cache does not grow" bash -c "! grep -q 'page cache grew' '$console'"
expect "a volume is found beside it" "$console" '^pmem: volume kept'
check "the disk's size is a multiple of 2 MiB" \
	test $(($(stat -c %s "$test_dir/pmem/share/microvm/stage1.erofs") % 2097152)) = 0
finish

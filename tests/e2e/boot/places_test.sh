#!/bin/bash
# SPDX-License-Identifier: MIT
# Boots a guest with as many devices as QEMU's default machine has room for, and with a credential
# of the longest name: the guest must see all of them.
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
guest_setup
probe=$(guest_build probe-guest) || exit 1
echo secret >"$test_dir/secret"

# description VOLUMES
description() {
	echo "credentialFiles: {a-name-of-twenty-eight-bytes: \"$test_dir/secret\"}"
	echo 'volumes:'
	seq "$1" | sed 's|.*|  - {image: v&.img, size: 8, fsType: ext2, serial: serial-&}|'
	fast_kernel
}

# The store disk and the random number generator are devices too.
description 21 | compile most "$probe" || finish
boot most '^probe: '
ends_well "a guest with 23 devices ends with status 0"
check "the guest sees all of its 21 volumes" \
	test "$(grep -c '^probe: disk serial-' "$console")" = 21
expect "the guest sees a credential with the longest name" \
	"$console" '^probe: credential a-name-of-twenty-eight-bytes secret$'
description 22 >"$test_dir/more.yaml"
"$mvmbuild" plan "$test_dir/more.yaml" --set hostName=vm --set toplevel="$probe" \
	--set storeDir="$NIX_STORE_DIR" >"$test_dir/log" 2>&1
check "a 24th device is refused" test $? = 3
expect "the message has both numbers" \
	"$test_dir/log" "error: QEMU's machine microvm supports 23 devices, but there are 24"
finish

#!/bin/bash
# SPDX-License-Identifier: MIT
# Checks that a build refuses memory that cannot hold the kernel, and recommends a size with which
# the guest boots.
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
guest_setup
probe=$(guest_build probe-guest) || exit 1
log=$test_dir/log

check_with() { # KERNEL MIB
	"$mvmbuild" check - --set "kernel=$1" --set kernelModules="$kernel" --set mem="$2" \
		--set hostName=vm --set toplevel="$probe" --set storeDir="$NIX_STORE_DIR" \
		>"$log" 2>&1 <<<'vcpu: 1'
}

for name in bzimage vmlinux; do
	image=$vmlinux
	if [ "$name" = bzimage ]; then image=$(echo "$kernel"/boot/vmlinuz-*); fi
	check_with "$image" 48
	check "$name: 48 MiB are refused" test $? = 3
	least=$(sed -n 's/.*the kernel needs [0-9]* MiB to boot, .* use \([0-9]*\) or more.*/\1/p' "$log")
	check "$name: the message recommends a size" test -n "$least"
	check_with "$image" $((least - 1))
	expect "$name: a MiB less is a warning" "$log" "mem: $((least - 1)) MiB is little"
	check_with "$image" "$least"
	check "$name: the recommended size is accepted without a message" test ! -s "$log"
	printf 'mem: %s\nkernel: "%s"\nkernelModules: "%s"\n' "$least" "$image" "$kernel" |
		compile "of-$name" "$probe" || finish
	boot "of-$name" '^probe: '
	check "$name: the guest boots with the recommended size" test "$status" = 0
	expect "$name: the guest comes to its end" "$console" '^probe: done'
done
finish

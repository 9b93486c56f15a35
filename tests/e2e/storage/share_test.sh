#!/bin/bash
# SPDX-License-Identifier: MIT
# Shares directories of the host by 9p, and the host's store instead of a store disk.
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
guest_setup
# It counts its boots in /data/boots.
writer=$(guest_build volume-guest) || exit 1
demo=$(nix_build "$top/tests/demo/demo.nix" toplevel) || exit 1
shared=$test_dir/"shared, 'dir'"
log=$test_dir/log

fresh() {
	rm -rf "$shared"
	mkdir "$shared"
}

writes() { # NAME
	expect_no "$1: the guest mounts the share" "$console" "^volume: FAILED"
	ends_well "$1: the guest ends with status 0"
	check "$1: the host sees what the guest wrote" grep -qx 'boot 1' "$shared/boots"
}

fresh
{
	echo "mem: 2G" # the machine with PCI has been seen to hang with this size
	echo "shares: [{tag: data, source: \"$shared\", mountPoint: /data, securityModel: none}]"
	fast_kernel
} | compile 9p "$writer" || finish
boot 9p '^volume: '
writes 9p
boot 9p '^volume: '
check "9p: the guest sees at its next boot what it wrote" grep -qx 'boot 2' "$shared/boots"

{
	echo "shares: [{tag: data, source: \"$shared\", mountPoint: /data, readOnly: true}]"
	fast_kernel
} | compile read-only "$writer" || finish
boot read-only '^volume: '
check "read-only: the guest wrote nothing" test "$(wc -l <"$shared/boots")" = 2

{
	echo "shares: [{tag: store, source: \"$NIX_STORE_DIR\", mountPoint: \"$test_dir/.ro-store\", readOnly: true}]"
	fast_kernel
} | compile store "$demo" || finish
check "store: no store disk is made" test ! -e "$test_dir/store/share/microvm/stage1.squashfs"
boot store '^demo: '
expect "store: the host's store is mounted aside" \
	"$console" "^demo: mount $test_dir/.ro-store 9p ro "
expect "store: the host's store is mounted on the guest's" \
	"$console" "^demo: mount $NIX_STORE_DIR 9p ro "
expect "store: the guest's own checks pass" "$console" '^demo: done, 0 failures'

{
	echo "shares: [{tag: data, source: not/there, mountPoint: /data}]"
	fast_kernel
} | compile missing "$writer" || finish
for script in microvm-run microvm-check; do
	"$test_dir/missing/bin/$script" >"$log" 2>&1 </dev/null
	check "$script fails when the directory of a share is missing" test $? = 1
	expect "$script names the directory that is missing" \
		"$log" 'the share data: the directory not/there does not exist'
done
mkdir not
echo x >not/there
"$test_dir/missing/bin/microvm-check" >"$log" 2>&1 </dev/null
expect "a share that is a file is named as one" \
	"$log" 'the share data: not/there is not a directory'

{
	echo "interfaces: [{type: tap, id: mvm-none}]"
	fast_kernel
} | compile tap "$demo" || finish
"$test_dir/tap/bin/microvm-run" >"$log" 2>&1 </dev/null
expect "microvm-run names a tap that is missing" "$log" 'the tap interface mvm-none is missing'
"$test_dir/tap/bin/microvm-check" >"$log" 2>&1 </dev/null
check "microvm-check fails when a tap is missing" test $? = 1
expect "microvm-check names a tap that is missing" "$log" 'the tap interface mvm-none is missing'
finish

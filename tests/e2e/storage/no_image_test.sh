#!/bin/bash
# SPDX-License-Identifier: MIT
# Boots a VM without any image: the host's store comes by 9p or virtiofs, and the root is in memory
# or a directory of the host.
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
need_programs jq
guest_setup
limit=180
demo=$(nix_build "$top/tests/demo/demo.nix" toplevel) || exit 1
virtiofsd=$(command -v virtiofsd /usr/libexec/virtiofsd /usr/lib/qemu/virtiofsd | head -n 1)
[ "$(id -u)" = 0 ] || virtiofsd=

# serve TAG DIRECTORY: runs QEMU 7's own daemon, which serves one VM and ends with it.
# shellcheck disable=SC2317 # vm_before calls it
serve() {
	local socket=vm-virtiofs-$1.sock
	rm -f "$socket"
	"$virtiofsd" --socket-path="$socket" -o source="$2" -o xattr >"$test_dir/virtiofsd-$1.log" \
		2>&1 </dev/null &
	wait_while_alive $! test -S "$socket"
}

for proto in 9p virtiofs; do
	if [ "$proto" = virtiofs ] && [ -z "$virtiofsd" ]; then
		skip "virtiofs" "no virtiofsd, or not root"
		continue
	fi
	root=$test_dir/root-$proto
	mkdir "$root"
	{
		echo 'shares:'
		echo "  - {tag: store, proto: $proto, source: \"$NIX_STORE_DIR\", mountPoint: \"$NIX_STORE_DIR\", readOnly: true}"
		echo "  - {tag: root, proto: $proto, source: \"$root\", mountPoint: /}"
		fast_kernel
	} | compile "$proto" "$demo" || finish
	check "$proto: the VM has no disk" \
		test "$("$mvmbuild" plan "$test_dir/$proto.yaml" --json | jq '.disks | length')" = 0
	if [ "$proto" = virtiofs ]; then
		# shellcheck disable=SC2317,SC2034 # vm_once calls it
		vm_before() {
			serve store "$NIX_STORE_DIR"
			serve root "$root"
		}
		# shellcheck disable=SC2034
		vm_before=vm_before
	fi
	boot "$proto" '^demo: '
	if [ "$status" = 0 ]; then
		ok "$proto: the guest ends with status 0"
	else
		not_ok "$proto: the guest ends with status 0, not $status" "$console"
	fi
	expect "$proto: the guest's root is a directory of the host" \
		"$console" "^demo: mount / $proto rw root"
	expect "$proto: the guest's store is the host's and read-only" \
		"$console" "^demo: mount $NIX_STORE_DIR $proto ro store"
	expect "$proto: the guest's own checks pass" "$console" '^demo: done, 0 failures'
	check "$proto: the root's directories stay on the host" test -d "$root/proc"
	expect_no "$proto: no file is left on the host below a mount of the guest" \
		<(ls -A "$root/proc" "$root/sys" "$root/dev") 'self|kernel|null'
done
finish

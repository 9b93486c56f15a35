#!/bin/bash
# SPDX-License-Identifier: MIT
# microvm-check finds what a start would trip over on this host, without a start: names that the
# hypervisor does not know, scripts with errors, devices and bridges, broken images.
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/golden/lib/fixture.sh
. "$top/tests/golden/lib/fixture.sh"
need_programs qemu-system-x86_64 mkfs.ext4
fixture_make "$test_dir"
mvmbuild=$(realpath "${MVMBUILD:-$top/build/mvmbuild}")
log=$test_dir/log
mkdir "$test_dir/state"
cd "$test_dir/state" || exit

build() { # LINE...
	printf '%s\n' 'hostName: vm' "storeDir: $test_dir/store" \
		"toplevel: $test_dir/store/$fixture_hash-system" "closure: $test_dir/registration" \
		"kernel: $test_dir/kernel" "$@" >"$test_dir/vm.yaml"
	"$mvmbuild" -q --no-cache "$test_dir/vm.yaml" -o "$test_dir/runner" >"$log" 2>&1 ||
		not_ok "the runner is built" "$log"
}
checked() { "$test_dir/runner/bin/microvm-check" "$@" >"$log" 2>&1; }
# shellcheck disable=SC2317 # check calls it
fails() { ! "$@"; }
refused() { # DESCRIPTION REGEX LINE...
	build "${@:3}"
	check "$1 is not ready to start" fails checked
	expect "microvm-check explains $1" "$log" "$2"
}

build 'cpu: "max,+x2apic"' 'qemu: {machine: q35}' 'preStart: "echo here"' 'hostPath: [/usr/bin]'
check "a VM with names that QEMU knows is ready to start" checked
refused "an unknown machine" 'qemu.machine: qemu-system-x86_64 has no "q53"' 'qemu: {machine: q53}'
refused "an unknown CPU" 'cpu: qemu-system-x86_64 has no "hst"; ".* -cpu help"' 'cpu: hst,+x2apic'
refused "a preStart that bash cannot read" \
	'^microvm-check: vm: preStart: line 2: syntax error near' 'preStart: "true\nfi"'
refused "an extraArgsScript that bash cannot read" \
	'^microvm-check: vm: extraArgsScript: line 1: syntax error' 'extraArgsScript: "echo )"'
refused "a missing directory of hostPath" 'hostPath: the directory /no/bin does not exist' \
	'hostPath: [/usr/bin, /no/bin]'
refused "a missing PCI device" 'the PCI device 0000:77:00.0 does not exist' \
	'devices: [{bus: pci, path: "0000:77:00.0"}]'
checked --unit
expect "it is also missing for a unit, which only binds it" "$log" 'PCI device .* does not exist'
bridge='interfaces: [{type: bridge, id: net0, bridge: br-none, mac: "02:00:00:00:00:01"}]'
refused "a missing bridge" 'the bridge br-none does not exist; as root, run: ip link add br-none' \
	"$bridge"
if [ ! -e /etc/qemu/bridge.conf ]; then
	expect "microvm-check says where the bridge must be allowed" "$log" \
		"echo 'allow br-none' >>/etc/qemu/bridge.conf"
fi

store='shares: [{tag: store, source: '$test_dir/store', mountPoint: /nix/.ro-store}]'
refused "a store that the guest could change" \
	"the share store: the guest could change $test_dir/store of this host, where $(id -un) may" \
	'hypervisor: kvmtool' "$store"
if [ "$(id -u)" = 0 ] && [ -n "$(command -v setpriv)" ]; then
	chmod a+rx "$test_dir"
	PATH=/usr/bin:/bin setpriv --reuid 65534 --regid 65534 --clear-groups \
		"$test_dir/runner/bin/microvm-check" >"$log" 2>&1
	expect "another user's check runs" "$log" 'lkvm'
	expect_no "a user who may not write to the store can share it" "$log" 'the share store'
fi

volume='volumes: [{image: data.img, size: 16, mountPoint: /data}]'
: >data.img
refused "an empty image" 'the volume data.img: the file is empty; remove it' "$volume"
rm data.img && truncate -s 16M data.img && mkfs.ext4 -qF data.img
check "a VM with a whole image is ready to start" checked
truncate -s 8M data.img
refused "an image without its end" \
	'data.img: the end of the file is missing: its file system has 16777216 bytes' "$volume"
for kind in xfs btrfs; do
	command -v "mkfs.$kind" >/dev/null || continue
	rm data.img && truncate -s 512M data.img && "mkfs.$kind" -q data.img >"$log" 2>&1
	checked
	expect_no "a whole $kind is not called cut off" "$log" 'end of the file'
	truncate -s 300M data.img
	checked
	expect "a $kind that is cut off is found" "$log" 'its file system has 536870912 bytes'
done
if command -v mkfs.btrfs >/dev/null; then
	rm data.img && truncate -s 256M data.img more.img
	mkfs.btrfs -q data.img more.img >"$log" 2>&1
	checked
	expect_no "one of two images of a btrfs is not called cut off" "$log" 'end of the file'
fi
finish

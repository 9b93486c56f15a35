#!/bin/bash
# SPDX-License-Identifier: MIT
# Mounts volumes of every file system in real guests, writes to them, enlarges them between boots,
# and finds them by their contents where disks have no serial numbers.
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
need_programs e2fsck mkfs.xfs mkfs.btrfs mkfs.vfat xfs_repair btrfs
guest_setup
guest=$(guest_build volumes-guest) || exit 1

volumes() { # MIB-OF-EXT MIB-OF-XFS MIB-OF-BTRFS
	echo "volumes: [{image: 2.img, fsType: ext2, size: $1, mountPoint: /2}, {image: 3.img, fsType: ext3, size: $1, mountPoint: /3}
		, {image: 4.img, size: $1, mountPoint: /4, mkfsExtraArgs: [-m, '0']}, {image: x.img, fsType: xfs, size: $2, mountPoint: /x}
		, {image: b.img, fsType: btrfs, size: $3, mountPoint: /b}, {image: v.img, fsType: vfat, size: 16, mountPoint: /v}]"
	fast_kernel
}
all_sound() {
	local image
	for image in 2 3 4; do check "$1: ext$image is sound" e2fsck -fn $image.img; done
	check "$1: the xfs is sound" xfs_repair -n x.img
	check "$1: the btrfs is sound" btrfs check b.img
}
# told DESCRIPTION POINT TYPE BOOT SIZE
told() {
	expect "$1: the $3 is mounted at its boot $4 with $5 MiB" \
		"$console" "^volumes: $2 $3 /dev/vd. boot $4 $5 MiB$"
}

volumes 64 300 128 | compile small "$guest" || finish
volumes 256 600 256 | compile large "$guest" || finish
# shellcheck disable=SC2317 # vm_run calls it: only a boot whose guest came up counts
restore() {
	rm -f ./*.img
	[ ! -d "$test_dir/kept" ] || cp --sparse=always "$test_dir/kept/"*.img .
}
keep() { mkdir -p "$test_dir/kept" && cp --sparse=always ./*.img "$test_dir/kept/"; }
vm_before=restore
boot small '^volumes: done'
ends_well "the first boot ends with status 0"
told "the first boot" /2 ext2 1 '[56][0-9]'
told "the first boot" /3 ext3 1 '[56][0-9]'
told "the first boot" /4 ext4 1 '[56][0-9]'
told "the first boot" /x xfs 1 2[0-9][0-9]
told "the first boot" /b btrfs 1 1[0-9][0-9]
told "the first boot" /v vfat 1 1[0-9]
all_sound "the first boot"
keep
boot large '^volumes: done' mvm.debug=1
ends_well "the second boot, with larger volumes, ends with status 0"
told "the second boot" /2 ext2 2 2[0-9][0-9]
told "the second boot" /3 ext3 2 2[0-9][0-9]
told "the second boot" /4 ext4 2 2[0-9][0-9]
told "the second boot" /x xfs 2 5[0-9][0-9]
told "the second boot" /b btrfs 2 256
told "the second boot" /v vfat 2 1[0-9]
expect_no "nothing fails in the second boot" "$console" 'cannot make|FAILED'
all_sound "the second boot"

# ---- disks without serial numbers: Firecracker's first stage, in QEMU ----

# without_serials NAME SED-EXPRESSION: makes a runner of QEMU that boots it; the expression edits
# its disks.
without_serials() {
	cp -r "$test_dir/qemu" "$test_dir/$1"
	chmod -R u+w "$test_dir/$1"
	cp -f "$test_dir/firecracker/share/microvm/initrd" "$test_dir/$1/share/microvm/initrd"
	sed -i -e 's/,serial=[-a-z0-9]*//' -e "$2" "$test_dir/$1/bin/microvm-run"
}
rm -rf "$test_dir/kept"
describe() { # HYPERVISOR
	echo "hypervisor: $1"
	echo 'stage1: {modules: [virtio_mmio, virtio_pci]}' # QEMU's buses
	echo 'volumes: [{image: one.img, size: 16, mountPoint: /one}, {image: two.img, size: 32, mountPoint: /two, label: second}, {image: v.img, fsType: vfat, size: 16, mountPoint: /v}]'
	fast_kernel
}
describe qemu | compile qemu "$guest" || finish
describe firecracker | compile firecracker "$guest" || finish
without_serials straight ''
without_serials swapped \
	's/file=one.img/file=@/; s/file=two.img/file=one.img/; s/file=@/file=two.img/'
without_serials foreign 's/file=one.img/file=other.img/'
without_serials wrong 's/file=two.img/file=other.img/'
without_serials twice \
	's/file=one.img/file=copy.img/; s/file=two.img/file=other.img/; s/file=v.img/file=two.img/'
boot straight '^volumes: done'
ends_well "without serial numbers: the VM ends with status 0"
expect "without serial numbers: the first volume is mounted" \
	"$console" '^volumes: /one ext4 /dev/vdb boot 1 1[0-9] MiB'
expect "without serial numbers: the second volume is mounted" \
	"$console" '^volumes: /two ext4 /dev/vdc boot 1 [23][0-9] MiB'
keep
boot swapped '^volumes: done'
ends_well "in another order: the VM ends with status 0"
expect "in another order: the first volume is found by its UUID" \
	"$console" '^volumes: /one ext4 /dev/vdc boot 2 1[0-9] MiB'
expect "in another order: the second volume is found by its label" \
	"$console" '^volumes: /two ext4 /dev/vdb boot 2 [23][0-9] MiB'
expect "in another order: stage 1 reports the other disk" \
	"$console" '^stage1: /one is on /dev/vdc, not on /dev/vdb$'
truncate -s 16M "$test_dir/kept/other.img"
mke2fs -q -t ext4 "$test_dir/kept/other.img"
boot foreign '^volumes: done'
expect "a volume that was made elsewhere is found by its place" \
	"$console" '^volumes: /one ext4 /dev/vdb boot 1 '
boot wrong '^stage1: giving up'
expect "a label that no disk has is an error" "$console" \
	'^stage1: FAILED: cannot mount /two \(ext4\): there is no disk with the label:second$'
cp "$test_dir/kept/two.img" "$test_dir/kept/copy.img"
boot twice '^stage1: giving up'
expect "a label that two disks have is an error" "$console" \
	'^stage1: FAILED: cannot mount /two \(ext4\): there are several disks with the label:second$'

finish

#!/bin/bash
# SPDX-License-Identifier: MIT
# Boots a store disk with a hash tree, which veritysetup accepts. A disk that was changed anywhere
# must fail to boot or to be read, and the console must have the reason.
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
need_programs jq veritysetup mkfs.erofs
guest_setup
guest=$(guest_build verity-guest) || exit 1
payload=$(nix_build "$top/tests/e2e/lib/nix/verity-guest.nix" payload) || exit 1
block=4096

# in_manifest QUERY: queries the manifest of the VM $name.
in_manifest() { jq -r ".storeDisk$1" "$test_dir/$name/share/microvm/manifest.json"; }

# look_at NAME: sets $disk, $data (the data's size in bytes) and $middle (the number of its middle
# block).
look_at() {
	name=$1
	disk=$test_dir/$name/$(in_manifest .path)
	data=$(in_manifest .verity.hashOffset)
	root=$(in_manifest .verity.rootHash)
	middle=$((data / block / 2))
}

# built NAME [LINE of the description]...: compiles the VM, and looks at it.
built() {
	{
		printf '%s\n' "${@:2}"
		fast_kernel
	} | compile "$1" "$guest" || finish
	look_at "$1"
}

# changed: copies the VM $name; $changed is the copy's disk. boot_changed: boots it.
changed() {
	rm -rf "$test_dir/changed"
	cp -r "$test_dir/$name" "$test_dir/changed"
	chmod -R u+w "$test_dir/changed"
	changed=$test_dir/changed/$(in_manifest .path)
}
boot_changed() { boot changed '^(stage1: FAILED|verity: started)' "$@"; }

# flip OFFSET: flips one bit of the changed disk.
flip() {
	local byte
	byte=$(od -An -tu1 -j "$1" -N 1 "$changed")
	# shellcheck disable=SC2059 # an escape
	printf "\\x$(printf %x $((byte ^ 1)))" | dd of="$changed" bs=1 seek="$1" conv=notrunc \
		status=none
}

# refused DESCRIPTION REGEX: stage 1 prints the reason, and the VM ends.
refused() {
	description=$1
	boot_changed
	check "$name: $description: the VM ends by itself with status 1" test "$status" = 1
	expect "$name: $description: stage 1 says that the disk is another one" "$console" \
		"^stage1: FAILED: the disk mvm-store is not the one that was built with this initramfs: $2\$"
	expect_no "$name: $description: the guest does not start" "$console" '^verity: '
}
told() {
	expect "$name: $description: the kernel names the block" \
		"$console" "^stage1:   kernel: device-mapper: verity: .* $1 is corrupted"
}

# unread DESCRIPTION WHAT: the guest starts, but cannot read its file, and the kernel says why.
unread() {
	boot_changed
	expect "$name: $1: the guest cannot read the file" \
		"$console" '^verity: payload cannot be read$'
	expect_no "$name: $1: the guest gets no other contents" \
		"$console" '^verity: payload [0-9a-f]+$'
	expect "$name: $1: the kernel names the block" \
		"$console" "device-mapper: verity: .* $2 is corrupted"
}

# works REGEX: the guest runs with its store on a device that matches.
works() {
	boot "$name" '^verity: started'
	ends_well "$name: the VM ends with status 0"
	expect "$name: the store is mounted from the verified device" \
		"$console" "^verity: mount /dev/mapper/store $1 (squashfs|erofs) ro,"
	expect "$name: the device is a read-only one of dm-verity" "$console" \
		"^verity: device store CRYPT-VERITY-$(in_manifest .verity.uuid |
			tr -d -)-store read-only 1\$"
	expect "$name: a file has the contents that were built" \
		"$console" "^verity: payload $(sha256sum "$payload" | cut -d ' ' -f 1)\$"
}

for type in squashfs erofs; do
	built "$type" "storeDisk: {type: $type, verity: true}"
	works "$NIX_STORE_DIR"
	check "$name: veritysetup finds the disk sound" \
		veritysetup verify --hash-offset="$data" "$disk" "$disk" "$root"
	check "$name: the manifest has the disk's size" \
		test "$(stat -c %s "$disk")" = "$(in_manifest .size)"
	for jobs in 1 4; do
		rm -rf "$test_dir/again"
		"$mvmbuild" "$test_dir/$name.yaml" --no-cache -j "$jobs" -o "$test_dir/again" \
			>"$test_dir/again.log" 2>&1
		check "$name: $jobs jobs and no cache give the same runner" \
			diff -r "$test_dir/$name" "$test_dir/again"
	done

	changed
	flip $((middle * block + 100))
	unread "a changed bit of a file" "data block $middle"

	changed
	flip 1030 # both formats have their superblock there or before
	refused "a changed bit of the first block" 'its first block or its hash tree was changed'
	told 'data block 0'
done
check "squashfs: unsquashfs reads a disk with a hash tree" \
	unsquashfs -s "$test_dir/squashfs/share/microvm/stage1.squashfs"
check "erofs: fsck.erofs reads a disk with a hash tree" fsck.erofs "$disk"

look_at squashfs

# The root of the tree is the block after the superblock, the hashes of the data are its last level.
changed
flip $((data + block))
refused "a changed bit of the tree's root" 'its first block or its hash tree was changed'
told "metadata block $((data / block + 1))"

hashes=$((data / block + 1 + 1 + middle / 128))
changed
flip $((hashes * block + 5))
unread "a changed bit of the tree" "metadata block $hashes"

changed
flip $((data + 20))
refused "a changed bit of the dm-verity superblock" 'its dm-verity superblock differs'

changed
flip $((data + block - 1))
refused "a changed bit behind the dm-verity superblock" 'its dm-verity superblock differs'

changed
truncate -s -$block "$changed"
refused "a truncated disk" "it has $(stat -c %s "$changed") bytes of $(stat -c %s "$disk")"

# An attacker can make a new tree, but not with the same root hash.
changed
flip 2000000
veritysetup format --hash-offset="$data" --data-blocks=$((data / block)) \
	--salt="$(in_manifest .verity.salt)" --uuid="$(in_manifest .verity.uuid)" \
	"$changed" "$changed" >"$test_dir/format"
forged=$(sed -n 's/^Root hash:[[:space:]]*//p' "$test_dir/format")
check "$name: veritysetup finds a disk with another tree sound" \
	veritysetup verify --hash-offset="$data" "$changed" "$changed" "$forged"
refused "a disk with another tree" 'its first block or its hash tree was changed'

# The option ends the VM when a block cannot be read.
changed
flip $((middle * block + 100))
boot_changed mvm.verity=panic
check "$name: with mvm.verity=panic the VM ends with status 1" test "$status" = 1
expect "$name: with mvm.verity=panic the guest had started" "$console" '^verity: started'
expect "$name: with mvm.verity=panic the kernel names the reason" \
	"$console" 'Kernel panic.*dm-verity device corrupted'

# This kernel lacks dm-verity, which shows only when it boots.
boot squashfs '^stage1: giving up' module_blacklist=dm_verity
check "$name: without the module the VM ends with status 1" test "$status" = 1
expect "$name: without the module stage 1 names what it cannot do" "$console" \
	'^stage1: FAILED: cannot make a dm-verity device of the disk mvm-store: Invalid argument$'
expect "$name: without the module the kernel names the reason" \
	"$console" '^stage1:   kernel: device-mapper: table: .*verity: unknown target type$'

# A writable layer lies on top of the verified disk.
built writable 'storeDisk: {verity: true}' "writableStoreOverlay: $test_dir/nix/.rw-store"
works "$test_dir/nix/.ro-store"
expect "$name: the store is an overlay on the verified disk" "$console" \
	"^verity: store overlay $NIX_STORE_DIR overlay rw,.*lowerdir=$test_dir/nix/.ro-store,"

# Several VMs of a host use one disk: its root hash goes with it.
printf '%s\n' 'vms:' "  one: {source: $test_dir/squashfs.yaml}" \
	"  two: {source: $test_dir/squashfs.yaml}" >"$test_dir/host.yaml"
for build in first second; do
	"$mvmbuild" host "$test_dir/host.yaml" --cache "$test_dir/cache" -o "$test_dir/host" \
		>"$test_dir/host.log" 2>&1
	check "the $build build of a host gives the VM's runner that a build alone gives" \
		diff -r "$test_dir/squashfs" "$test_dir/host/runners/two"
done

# These engines make the image as a whole.
built whole 'storeDisk: {engine: mksquashfs, compression: gzip, verity: true}'
check "mksquashfs: veritysetup finds the disk sound" \
	veritysetup verify --hash-offset="$data" "$disk" "$disk" "$root"

# This hypervisor gives disks no serial numbers: its initrd boots in a VM of QEMU that also has PCI.
built nameless 'hypervisor: firecracker' 'storeDisk: {verity: true}'
check "firecracker: the disk is the one for QEMU" \
	cmp "$disk" "$test_dir/squashfs/share/microvm/stage1.squashfs"
built pci 'qemu: {machine: q35}' 'storeDisk: {verity: true}'
changed
cp "$test_dir/nameless/share/microvm/initrd" "$test_dir/changed/share/microvm/initrd"
boot_changed
expect "firecracker: the initrd finds the disk by its name" "$console" '^verity: done$'
flip 1030
boot_changed
expect "firecracker: the initrd refuses a changed disk" \
	"$console" '^stage1: FAILED: the disk /dev/vda is not the one that was built'

# A build checks that the kernel has dm-verity.
mkdir "$test_dir/boot"
cp "$vmlinux" "$test_dir/boot/vmlinux"
config=$(echo "$kernel"/boot/config-*)
sed 's/^CONFIG_DM_VERITY=.*/# CONFIG_DM_VERITY is not set/' "$config" \
	>"$test_dir/boot/${config##*/}"
printf '%s\n' 'hostName: vm' "toplevel: $guest" "storeDir: $NIX_STORE_DIR" \
	"kernel: $test_dir/boot/vmlinux" "kernelModules: $kernel" \
	'storeDisk: {verity: true}' >"$test_dir/unable.yaml"
check "a kernel without dm-verity is refused" \
	test "$("$mvmbuild" plan "$test_dir/unable.yaml" >"$test_dir/unable.log" 2>&1; echo $?)" = 4
expect "the message names the kernel's configuration" "$test_dir/unable.log" \
	'cannot mount .* \(squashfs\): CONFIG_DM_VERITY is not set; see .*/config-.*\[kernel-config\]'
rm "$test_dir/boot/${config##*/}"
mkdir -p "$test_dir/modules/lib"
cp -r "$kernel/lib/modules" "$test_dir/modules/lib/"
rm "$test_dir"/modules/lib/modules/*/kernel/drivers/md/dm-verity.ko*
sed -i "s|^kernelModules: .*|kernelModules: $test_dir/modules|" "$test_dir/unable.yaml"
check "a kernel without the module dm_verity is refused" \
	test "$("$mvmbuild" plan "$test_dir/unable.yaml" >"$test_dir/unable.log" 2>&1; echo $?)" = 4
expect "the message names the module dm_verity" "$test_dir/unable.log" \
	'the kernel has no module "dm_verity", which is needed because storeDisk.verity is on .*\[missing-module\]'

finish

#!/bin/bash
# SPDX-License-Identifier: MIT
# Boots guests that cannot come up: the console must have the reason, and the VM must end by
# itself.
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
need_programs mke2fs
guest_setup
probe=$(guest_build probe-guest) || exit 1

# fails DESCRIPTION NAME REGEX [PARAMETER]...: checks that the first stage gives up with this
# message. The console is in $console for further checks. A guest waits mvm.wait seconds for a disk.
fails() {
	description=$1
	boot "$2" '^stage1: giving up' mvm.wait=1 "${@:4}"
	check "$description: the VM ends by itself, with status 1" test "$status" = 1
	expect "$description: the console names the failure" "$console" "^stage1: FAILED: $3"
	expect_no "$description: the kernel does not panic" "$console" 'Kernel panic'
}
told() { expect "$description: the console adds $1" "$console" "^stage1:   $2"; }

{
	echo 'volumes: [{image: data.img, size: 16, mountPoint: /data, serial: the-data}]'
	fast_kernel
} | compile vm "$probe" || finish

fails "an init that does not exist" \
	vm 'cannot start the init /no/init: No such file or directory$' init=/no/init
told "that the parameter init= names it" 'the kernel parameter init= names it$'
fails "an init that is a directory" vm "cannot start the init $probe: " init="$probe"
fails "a program that cannot be executed as init" vm \
	"cannot start the init $NIX_STORE_DIR/.*: (Permission denied|Exec format error)\$" \
	init="$(grep -l -m1 'parameter()' "$NIX_STORE_DIR"/*-library)"

head -c 16M /dev/zero >data.img
fails "a volume without a file system" \
	vm 'cannot mount disk the-data \(/dev/vd.\) \(ext4\) on /data: Invalid argument$'
told "the kernel's own message" "kernel: .*(EXT4|ext4).*"
rm data.img
boot vm '^probe: '
check "a new volume boots" test "$status" = 0
# The superblock's checksum is wrong.
printf '\xff' | dd of=data.img bs=1 seek=$((1024 + 0x60)) conv=notrunc status=none
fails "a volume with a broken file system" \
	vm 'cannot mount disk the-data \(/dev/vd.\) \(ext4\) on /data: '
told "the kernel's own message" 'kernel: .*EXT4-fs.*'
told "which command checks the volume" \
	'on the host, with the VM stopped, check the volume: e2fsck -fp data.img; or microvm --fsck NAME, for a VM of microvm$'
rm data.img

# The disk is another VM's, or missing; QEMU's arguments are those of the runner.
sed "s/serial=the-data/serial=other/" "$test_dir/vm/bin/microvm-run" >"$test_dir/run"
cp -r "$test_dir/vm" "$test_dir/other"
chmod -R u+w "$test_dir/other"
cp "$test_dir/run" "$test_dir/other/bin/microvm-run"
fails "a disk that is missing" \
	other 'cannot mount /data \(ext4\): no disk with serial "the-data" after 1 s$'
told "the serial number of a disk that is there" 'there is vd[ab], with serial "other"$'
told "the serial number of the store disk" 'there is vd[ab], with serial "mvm-store"$'

# This kernel lacks the driver, though the description was compiled for one that has it: the modules
# do not fit.
fails "a file system without its module" \
	vm 'cannot mount disk the-data .*ext4.*: No such device$' module_blacklist=ext4
told "the likely reason" \
	'the kernel does not support the file system "ext4"; is its module among the loaded ones\?$'
expect "$description: the module that was not loaded is named before" \
	"$console" '^stage1: cannot load the module ext4: '
fails "a bus whose module is not loaded" \
	vm 'cannot mount .* no disk with serial' module_blacklist=virtio_mmio
told "the likely reason" 'there is no disk at all; is the driver'
expect "$description: the module that was not loaded is named before" \
	"$console" '^stage1: cannot load the module virtio_mmio: '

# mvmbuild reads the configuration of a kernel.
mkdir "$test_dir/boot"
cp "$vmlinux" "$test_dir/boot/vmlinux"
config=$(echo "$kernel"/boot/config-*)
# refused NAME OPTION MESSAGE: a build for a kernel without this option fails.
refused() {
	sed "s/^CONFIG_$2=.*/# CONFIG_$2 is not set/" "$config" >"$test_dir/boot/${config##*/}"
	printf '%s\n' 'hostName: vm' "toplevel: $probe" "storeDir: $NIX_STORE_DIR" \
		"kernel: $test_dir/boot/vmlinux" "kernelModules: $kernel" \
		'writableStoreOverlay: /rw' >"$test_dir/$1.yaml"
	check "$1: a kernel without CONFIG_$2 is refused" \
		test "$("$mvmbuild" plan "$test_dir/$1.yaml" >"$test_dir/$1.log" 2>&1; echo $?)" = 4
	expect "$1: the message names the kernel and what it cannot mount" "$test_dir/$1.log" \
		"error: kernel: .*/boot/vmlinux cannot mount .* $3.*\[kernel-config\]"
}
refused compressor SQUASHFS_ZSTD '\(squashfs\): CONFIG_SQUASHFS_ZSTD is not set; see .*/config-'
refused overlay OVERLAY_FS '\(overlay\): CONFIG_OVERLAY_FS is not set'

# The other ways to fail.
for end in poweroff:'powering off' reboot:rebooting; do
	boot vm '^stage1: giving up' init=/no/init "mvm.fail=${end%:*}"
	expect "a failed stage 1 ends with mvm.fail=${end%:*} as it should" "$console" \
		"^stage1: giving up: ${end#*:}\$"
	check "a VM that ends by mvm.fail=${end%:*} has status 0" test "$status" = 0
done

finish

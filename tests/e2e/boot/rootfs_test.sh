#!/bin/bash
# SPDX-License-Identifier: MIT
# Checks that a directory with a whole system boots as the guest's root: it is writable, its files
# keep their owners, modes and devices, and a volume keeps changes. The system is busybox;
# tests/long/debian_test.sh has a real distribution.
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
need_root
need_programs busybox qemu-system-x86_64 xz python3
kernel=$("$top/tests/e2e/lib/kernel.sh") || skip_all "no kernel to boot"
vmlinux=$test_dir/vmlinux
kernel_unpack "$kernel"/boot/vmlinuz-* "$vmlinux"
tree=$test_dir/tree
mkdir -p "$test_dir/state"
cd "$test_dir/state" || exit 1

make_tree() {
	mkdir -p "$tree"/{bin,sbin,dev,proc,sys,run,etc,srv,mnt,proc/mounted}
	cp "$(command -v busybox)" "$tree/bin/busybox"
	# An absolute link must be followed in the guest's tree, not on this machine.
	mkdir -p "$tree/opt/init"
	ln -s /opt/init/run "$tree/sbin/init"
	cat >"$tree/opt/init/run" <<-'INIT'
		#!/bin/busybox sh
		fact() { echo "fact: $*"; }
		cd /
		for f in / bin/tool srv/private srv/private/mine srv/null srv/pipe srv/shared; do
			fact "$(/bin/busybox stat -c '%n %a %u:%g %F' "$f")"
		done
		fact "$(/bin/busybox grep -c ' / overlay ' /proc/mounts) overlay"
		fact "proc has no $(/bin/busybox ls /proc/mounted 2>&1 | /bin/busybox wc -l)"
		echo x >>/count
		fact "count $(/bin/busybox wc -l <count)"
		echo gone >/srv/null && fact "the device works"
		/bin/busybox rm -r srv/private && fact "a directory is removed"
		/bin/busybox mkdir srv/private && fact "$(/bin/busybox ls -A srv/private |
			/bin/busybox wc -l) left"
		/bin/busybox mount -o remount,ro /run/initramfs/changes 2>/dev/null
		/bin/busybox sync
		fact end
		/bin/busybox poweroff -f
	INIT
	chmod 755 "$tree/opt/init/run" "$tree"
	echo tool >"$tree/bin/tool"
	chown 0:5 "$tree/bin/tool"
	chmod 6755 "$tree/bin/tool"
	mkdir -m 700 "$tree/srv/private"
	echo mine >"$tree/srv/private/mine"
	chmod 640 "$tree/srv/private/mine"
	chown -R 70000:1000 "$tree/srv/private"
	mknod -m 666 "$tree/srv/null" c 1 3
	mkfifo -m 600 "$tree/srv/pipe"
	mkdir -m 3777 "$tree/srv/shared"
}

# compile NAME: standard input is the rest of the description.
compile() {
	{
		echo "hostName: vm"
		echo "rootfs: $tree"
		echo "mem: 256"
		cat
	} >"$test_dir/$1.yaml"
	"$mvmbuild" "$test_dir/$1.yaml" --cache "$test_dir/cache" -o "$test_dir/$1" \
		>"$test_dir/$1.log" 2>&1 && return
	not_ok "$1: it compiles" "$test_dir/$1.log"
	return 1
}

saw() { expect "$1" "$console" "^fact: $2.?\$"; }

make_tree
fast_kernel | compile plain || finish
check "only the builder can read the disk" \
	test "$(stat -c %a "$test_dir/plain/share/microvm/stage1.squashfs")" = 400
expect "a kernel from elsewhere without modules in the directory causes a warning" \
	"$test_dir/plain.log" 'has no /lib/modules/.*\[rootfs-modules\]'
boot plain '^fact: '
check "the VM ends with status 0" test "$status" = 0
saw "the root has the directory's mode" '/ 755 0:0 directory'
saw "set-ID bits and the group are kept" 'bin/tool 6755 0:5 regular file'
saw "a directory keeps its owner" 'srv/private 700 70000:1000 directory'
saw "a file keeps its owner" 'srv/private/mine 640 70000:1000 regular file'
saw "a device is kept" 'srv/null 666 0:0 character special file'
saw "a pipe is kept" 'srv/pipe 600 0:0 fifo'
saw "the sticky bit is kept" 'srv/shared 3777 0:0 directory'
saw "the root is an overlay" '1 overlay'
saw "the guest can write" 'count 1'
saw "the kept device works" 'the device works'
saw "a directory of the lower layer can be removed" 'a directory is removed'
saw "a directory made in its place is empty" '0 left'
boot plain '^fact: '
saw "without a volume the changes are gone" 'count 1'

if command -v mkfs.erofs >/dev/null; then
	{ fast_kernel; echo 'storeDisk: {type: erofs}'; } | compile erofs || finish
	boot erofs '^fact: '
	saw "erofs keeps set-ID bits and the group" 'bin/tool 6755 0:5 regular file'
	saw "erofs keeps an owner" 'srv/private/mine 640 70000:1000 regular file'
	saw "erofs keeps a device" 'the device works'
else
	skip "erofs keeps owners and modes" "needs mkfs.erofs"
fi
{ fast_kernel; echo 'storeDisk: {type: erofs, compression: none}'; } |
	compile uncompressed || finish
boot uncompressed '^fact: '
saw "an erofs without compression keeps an owner" 'srv/private/mine 640 70000:1000 regular file'
saw "an erofs without compression keeps a device" 'the device works'

{ fast_kernel; echo 'volumes: [{image: root.img, mountPoint: /, size: 64}]'; } |
	compile kept || finish
boot kept '^fact: '
saw "with a volume the guest can write" 'count 1'
check "the volume's file system is clean after the shutdown" \
	bash -c '! dumpe2fs -h root.img 2>&1 | grep -q needs_recovery'
boot kept '^fact: '
saw "the volume keeps the changes" 'count 2'

"$mvmbuild" "$test_dir/plain.yaml" --cache "$test_dir/cache" -o "$test_dir/plain" \
	>"$test_dir/again.log" 2>&1
expect "an unchanged directory is up to date" "$test_dir/again.log" 'is up to date'
name() { jq -r '.closure[0].path' "$test_dir/plain/share/microvm/manifest.json"; }
before=$(name)
chmod u-s "$tree/bin/tool"
"$mvmbuild" "$test_dir/plain.yaml" --cache "$test_dir/cache" -o "$test_dir/plain" \
	>"$test_dir/again.log" 2>&1
check "a changed mode gives another name" test "$before" != "$(name)"
cp -a "$tree" "$test_dir/copy" && mv "$tree" "$test_dir/old" && mv "$test_dir/copy" "$tree"
"$mvmbuild" "$test_dir/plain.yaml" --cache "$test_dir/cache" -o "$test_dir/plain" \
	>"$test_dir/again.log" 2>&1
expect "a copy has the same name" "$test_dir/again.log" 'is up to date'

chmod 700 "$tree"
python3 -c 'import os, sys, struct
os.setxattr(sys.argv[1], "system.posix_acl_access", struct.pack("<I", 2) + b"".join(
	struct.pack("<HHI", *e) for e in [(1, 6, 2**32 - 1), (2, 4, 1), (4, 4, 2**32 - 1),
		(16, 4, 2**32 - 1), (32, 4, 2**32 - 1)]))' "$tree/bin/tool" 2>"$test_dir/acl.log"
acl=$?
"$mvmbuild" "$test_dir/plain.yaml" --cache "$test_dir/cache" -o "$test_dir/plain" \
	>"$test_dir/warned.log" 2>&1
expect "a directory that only its owner may enter causes a warning" "$test_dir/warned.log" \
	'has mode 0700, .*\[rootfs-owner\]'
if [ "$acl" = 0 ]; then
	expect "lost access control lists cause a warning" "$test_dir/warned.log" \
		'of 1 files are not kept, such as that of .*/bin/tool \[lost-attributes\]'
else
	skip "lost access control lists cause a warning" "no access control lists here"
fi
chmod 755 "$tree" "$test_dir"
as_nobody "$(lend "$mvmbuild")" "$test_dir/plain.yaml" --no-cache -o "$test_dir/nobody" \
	>"$test_dir/nobody.log" 2>&1
expect "an unreadable file is named, with a remedy" "$test_dir/nobody.log" \
	'cannot read .*/srv/private: Permission denied; run mvmbuild as root .*\[unreadable-file\]'
finish

#!/bin/bash
# SPDX-License-Identifier: MIT
# Grows ext file systems of every layout in a real guest after their images became larger, also
# without a resize inode and with an unreplayed journal. One with errors keeps its size.
# shellcheck disable=SC2317 # check and vm_run call the functions
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
PATH=$PATH:/usr/sbin:/sbin
need_programs mke2fs e2fsck debugfs dumpe2fs
guest_setup
guest=$(guest_build volumes-guest) || exit 1
log=$test_dir/log
made=$test_dir/made
mkdir "$made" "$test_dir/files"
for i in $(seq 20); do seq "$i" $((i * 1000)) >"$test_dir/files/$i"; done

# layout NAME TYPE MIB MKE2FS-ARGUMENT...: makes an image of 64 MiB with files, and enlarges it to
# MIB.
names=() volumes=
layout() {
	local image=$made/$1.img
	names+=("$1")
	volumes+="${volumes:+, }{image: $1.img, fsType: $2, size: $3, mountPoint: /$1}"
	truncate -s 64M "$image"
	mke2fs -q -F -t "$2" "${@:4}" "$image" || exit 1
	for i in $(seq 20); do echo "write $test_dir/files/$i $i"; done |
		debugfs -w -f - "$image" >/dev/null 2>&1
}
layout kib ext4 256 -b 1024
# Without room for more descriptors, the kernel converts it to meta block groups.
layout fixed ext4 256 -b 4096 -O ^resize_inode
layout far ext4 20480 -b 4096 -E resize=32768
layout old ext3 256 -b 4096 -O ^sparse_super,^resize_inode
layout two ext2 1024 -b 1024 -O ^resize_inode
layout cut ext4 256 -b 4096
printf 'jo\njw -b 5000 %s\njc\n' "$test_dir/files/1" |
	debugfs -w -f - "$made/cut.img" >/dev/null 2>&1
layout errors ext4 256 -b 4096
debugfs -w -R 'set_super_value state 2' "$made/errors.img" >/dev/null 2>&1
{
	echo "volumes: [$volumes]"
	fast_kernel
} | compile vm "$guest" || finish

restore() {
	rm -f ./*.img
	cp --sparse=always "$made/"*.img .
}
bytes() { # NAME: of the file system
	dumpe2fs -h "$1.img" 2>/dev/null |
		awk '/^Block count:/ { n = $3 } /^Block size:/ { printf "%.0f", n * $3 }'
}
# The guest has also counted its boots there.
same_files() {
	rm -rf "$test_dir/dump"
	mkdir "$test_dir/dump"
	debugfs -R "rdump / $test_dir/dump" "$1.img" >/dev/null 2>&1
	rm -rf "$test_dir/dump/lost+found" "$test_dir/dump/boots"
	diff -r "$test_dir/files" "$test_dir/dump"
}
vm_before=restore
boot vm '^volumes: done' mvm.debug=1
ends_well "the guest ends with status 0"
# Without a replay first, the kernel would use the outdated size of the file system.
check "a journal that waits is replayed by a mount of its own" \
	test "$(sed -n 's/^stage1: .*replayed the journal of //p' "$console")" = /cut
for name in "${names[@]}"; do
	[ "$name" != errors ] || continue
	check "$name: the file system is as large as its image" \
		test "$(bytes "$name")" = "$(stat -c %s "$name.img")"
	check "$name: it is sound" e2fsck -fn "$name.img"
	check "$name: its files are the same" same_files "$name"
done
dumpe2fs -h fixed.img >"$log" 2>&1
expect "fixed: it has meta block groups" "$log" '^Filesystem features: .*meta_bg'
expect "errors: the message says what to do" "$console" \
	'^stage1: cannot make /errors as large as its disk: it has errors; stop the VM and repair them with e2fsck -f$'
check "errors: the file system keeps its size" test "$(bytes errors)" = $((64 << 20))
check "errors: its files are the same" same_files errors
check "only the one with errors does not grow" test "$(grep -c 'cannot make' "$console")" = 1

# After the repair that the message suggests, it grows at the next boot; the others stay as they
# are.
mkdir "$test_dir/kept"
e2fsck -fy errors.img >/dev/null 2>&1
cp --sparse=always ./*.img "$test_dir/kept/"
made=$test_dir/kept
boot vm '^volumes: done' mvm.debug=1
ends_well "the second boot ends with status 0"
check "errors: once mended, the file system is as large as its image" \
	test "$(bytes errors)" = $((256 << 20))
check "nothing fails in the second boot" test "$(grep -c 'cannot make' "$console")" = 0
for name in "${names[@]}"; do
	check "$name: it is sound after the second boot" e2fsck -fn "$name.img"
	check "$name: its files are the same after the second boot" same_files "$name"
done

finish

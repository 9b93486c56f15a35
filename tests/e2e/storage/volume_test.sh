#!/bin/bash
# SPDX-License-Identifier: MIT
# Creates volumes at the first start, completely or not at all, and checks that a guest finds its
# data at the next boot.
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
need_programs e2fsck dumpe2fs debugfs setsid
guest_setup
guest=$(guest_build volume-guest) || exit 1
log=$test_dir/log

sound() { check "$1: its file system is sound" e2fsck -fn "$2"; }
no_litter() {
	check "$1: there are no other files" test -z "$(find . -mindepth 1 ! -name '*.img')"
}
start() { "$test_dir/$1/bin/microvm-run" </dev/null >"$log" 2>&1; }

# ---- creation, with a QEMU that does nothing and a faulty gzip ----

mkdir -p "$test_dir/fake/bin" "$test_dir/bad"
printf '#!/bin/sh\nexit 0\n' >"$test_dir/fake/bin/qemu-system-x86_64"
chmod +x "$test_dir/fake/bin/qemu-system-x86_64"
{
	printf '%s\n' 'volumes: [{image: "data\\tank.img", size: 16}]'
	echo "qemu: {package: $test_dir/fake}"
	fast_kernel
} | compile backslash "$guest" || finish
check "a start succeeds with a backslash in an image's name" start backslash
sound "an image with a backslash in its name" 'data\tank.img'
rm ./*.img
{
	echo 'volumes: [{image: data.img, size: 64, label: precious}, {image: big.img, size: 2G}]'
	echo "qemu: {package: $test_dir/fake}"
	fast_kernel
} | compile new "$guest" || finish

# bad_gzip COMMAND...: replaces gzip from now on, by this directory's PATH.
bad_gzip() {
	printf '#!/bin/bash\n%s\n' "$1" >"$test_dir/bad/gzip"
	chmod +x "$test_dir/bad/gzip"
}
real_gzip=$(command -v gzip)
start_badly() { PATH=$test_dir/bad:$PATH start "$@"; }

check "a first start succeeds" start new
check "the first start creates a volume of its size" test "$(stat -c %s data.img)" = $((64 << 20))
check "the first start creates a large volume" test "$(stat -c %s big.img)" = $((2 << 30))
check "the images are sparse: $(du -k data.img big.img | cut -f 1 | tr '\n' ' ')KiB" \
	test "$(du -k data.img big.img | awk '{ s += $1 } END { print s }')" -lt 2048
sound "a small new volume" data.img
sound "a large new volume" big.img
dumpe2fs -h data.img >"$log" 2>&1
expect "a new volume has its label" "$log" '^Filesystem volume name: *precious$'
check "a new volume belongs to who started it and only the owner may read it" \
	test "$(stat -c "%u %a" data.img)" = "$(id -u) 600"
no_litter "after the first start"

inode=$(stat -c '%i %Y %Z' data.img)
check "a second start succeeds" start new
check "the second start leaves the volume alone" test "$(stat -c '%i %Y %Z' data.img)" = "$inode"
rm ./*.img
echo "not a file system" >data.img
chmod 444 data.img
inode=$(stat -c '%i %Y %Z' data.img)
check "a start succeeds with another file under a volume's name" start new
check "that file is left alone" \
	test "$(cat data.img) $(stat -c '%i %Y %Z' data.img)" = "not a file system $inode"
rm -f ./*.img

bad_gzip "$real_gzip \"\$@\" | head -c 3000; echo broken gzip >&2; exit 2"
check "a start that cannot unpack the image fails" test "$(start_badly new; echo $?)" = 1
expect "it names the volume" "$log" '^microvm-run: vm: cannot create the volume data.img$'
expect "it names gzip and its status" \
	"$log" '^mvm-host: the volume data.img: gzip -dc failed with status 2$'
expect "it prints what gzip printed" "$log" '^broken gzip$'
check "it leaves no image" test ! -e data.img
no_litter "after a failed start"

bad_gzip "echo \$\$ >'$test_dir/gzip-pid'; exec sleep 3000"
# Starts in a separate process group, as a host's unit does, and waits until it unpacks.
start_group() {
	rm -f "$test_dir/gzip-pid"
	PATH=$test_dir/bad:$PATH setsid "$test_dir/new/bin/microvm-run" </dev/null >"$log" 2>&1 &
	group=$!
	wait_while_alive "$group" test -s "$test_dir/gzip-pid"
}
start_group
kill -KILL -- "-$group"
wait "$group" 2>/dev/null
check "a start that is killed leaves no image" test ! -e data.img
check "the killed start had begun" test -n "$(find . -name '.mvm-new-*')"
check "the start after the killed one succeeds" start new
sound "a volume created after a killed start" data.img
no_litter "after a killed start"
rm ./*.img
start_group
kill -TERM -- "-$group"
wait "$group" 2>/dev/null
check "a start that gets SIGTERM leaves no image" test ! -e data.img
no_litter "after SIGTERM"

bad_gzip "sleep 0.3; exec $real_gzip \"\$@\""
PATH=$test_dir/bad:$PATH "$test_dir/new/bin/microvm-run" </dev/null >"$test_dir/log2" 2>&1 &
check "of two starts at once the first succeeds" start_badly new
wait $!
check "of two starts at once the second succeeds" test $? = 0
check "two starts at once make one image" test "$(stat -c %h data.img)" = 1
sound "the image of two starts at once" data.img
no_litter "after two starts at once"
rm ./*.img

# The system calls fail as on file systems without hard links (FAT, exFAT, SMB), without
# RENAME_NOREPLACE (NFS, 9p), or without either.
create() { # CALL:error=ERROR...
	local call inject=()
	for call; do inject+=(-e "inject=$call"); done
	strace -f -q -o /dev/null "${inject[@]}" "$test_dir/new/libexec/mvm-host" volume create \
		data.img archive "$test_dir/new/share/microvm/volumes/0.tar.gz" >"$log" 2>&1
}
if strace -o /dev/null true 2>/dev/null; then
	for case in "no hard links|link:error=EPERM" \
		"no rename of that kind|renameat2:error=EINVAL" \
		"neither|link:error=EPERM renameat2:error=EINVAL" \
		"no sync of directories|fsync:error=EINVAL:when=2"; do
		# shellcheck disable=SC2086 # two words
		check "${case%|*}: a volume is created" create ${case#*|}
		sound "${case%|*}" data.img
		no_litter "${case%|*}"
		echo "somebody's" >data.img
		# shellcheck disable=SC2086
		check "${case%|*}: the start succeeds beside a file of that name" create ${case#*|}
		check "${case%|*}: that file is left alone" test "$(cat data.img)" = "somebody's"
		rm data.img
	done
	check "a volume that cannot be given its name fails" \
		test "$(create renameat2:error=EIO; echo $?)" = 1
	expect "the message has the reason" \
		"$log" 'the volume data.img: cannot rename it to its final name: I/O error$'
	check "a volume on a disk that fails to sync fails" \
		test "$(create fsync:error=EIO; echo $?)" = 1
	expect "the message has the disk's error" "$log" 'the volume data.img: I/O error$'
	no_litter "after failures at the end"
	# Where io_uring is forbidden.
	strace -q -o /dev/null -e inject=io_uring_setup:error=EPERM \
		"$test_dir/new/libexec/mvm-host" aio >"$log" 2>&1
	expect "mvm-host chooses threads where io_uring cannot be used" "$log" '^threads$'
	expect "mvm-host says why io_uring cannot be used" \
		"$log" 'io_uring is not available here \(Operation not permitted\)'
	# A tmpfs before Linux 6.6.
	check "mvm-host fails for a volume without direct I/O" \
		test "$(strace -q -o /dev/null -e inject=open:error=EINVAL:when=2 \
			"$test_dir/new/libexec/mvm-host" volume direct . >"$log" 2>&1; echo $?)" = 1
	expect "mvm-host says that the file system does not support direct I/O" \
		"$log" 'its file system does not support direct I/O'
else
	skip "other file systems" "no program can be traced here"
fi

# A hypervisor that prints its arguments, on a file system with direct I/O and on one that lacks it
# according to mvm-host.
mkdir -p "$test_dir/words/bin"
printf '#!/bin/sh\nprintf "%%s\\n" "$@"\n' >"$test_dir/words/bin/qemu-system-x86_64"
chmod +x "$test_dir/words/bin/qemu-system-x86_64"
{
	echo "storeDisk: {direct: true}"
	echo "volumes: [{image: past.img, size: 16, direct: true}]"
	echo "qemu: {package: $test_dir/words}"
	fast_kernel
} | compile past "$guest" || finish
chmod -R u+w "$test_dir/past"
mv "$test_dir/past/libexec/mvm-host" "$test_dir/past/libexec/real"
# shellcheck disable=SC2016 # for the script
printf '#!/bin/sh\n[ "$1 $2" != "volume direct" ] || { echo "no direct I/O" >&2; exit "$NO_DIRECT"; }\nexec "${0%%/*}/real" "$@"\n' >"$test_dir/past/libexec/mvm-host"
chmod +x "$test_dir/past/libexec/mvm-host"
check "a VM starts with a volume past the page cache" \
	env NO_DIRECT=0 "$test_dir/past/bin/microvm-run"
expect "QEMU opens that volume with cache=none" \
	"$test_dir/.check" '^id=.*past.img,.*,cache=none,read-only=off$'
expect "QEMU opens the store disk with cache=none" \
	"$test_dir/.check" '^id=store,.*,cache=none,read-only=on$'
# Devices with sectors of 4 KiB can only be read in multiples of that.
check "the store disk is a multiple of 4 KiB" \
	test $(($(stat -c %s "$test_dir/past/share/microvm/stage1.squashfs") % 4096)) = 0
check "the VM starts where there is no direct I/O" env NO_DIRECT=1 "$test_dir/past/bin/microvm-run"
expect "QEMU opens the volume with the page cache there" \
	"$test_dir/.check" '^id=.*past.img,.*,discard=unmap,read-only=off$'
expect "QEMU opens the store disk with the page cache there" \
	"$test_dir/.check" '^id=store,.*aio=[a-z_]*,read-only=on$'
expect "microvm-run says that there is no direct I/O" "$test_dir/.check" '^no direct I/O$'
check "microvm-check finds that VM ready" env NO_DIRECT=1 "$test_dir/past/bin/microvm-check"
expect "microvm-check says that there is no direct I/O" "$test_dir/.check" '^no direct I/O$'
rm -f past.img

ln -s "$test_dir/not-mounted/data.img" data.img
check "an image that is a link to nothing is refused" test "$(start new; echo $?)" = 1
expect "the message says that the link leads to nothing" \
	"$log" 'data.img is a symbolic link whose target does not exist'
rm data.img
start_tiny() { (cd "$test_dir/tiny" && start new); }
if [ "$(id -u)" = 0 ] && mkdir "$test_dir/tiny" && mount -t tmpfs -o size=32k tmpfs \
	"$test_dir/tiny"; then
	check "a start on a full disk fails" test "$(start_tiny; echo $?)" = 1
	expect "the message says that no space is left" "$log" 'No space left on device'
	check "the start on a full disk leaves nothing" test -z "$(ls -A "$test_dir/tiny")"
	mount -o remount,size=4m "$test_dir/tiny"
	check "the start succeeds when there is more room" start_tiny
	sound "the volume on a small disk" "$test_dir/tiny/data.img"
	umount "$test_dir/tiny"
else
	skip "a full disk" "cannot mount a tmpfs"
fi

# ---- the guest's data ----

# A tmpfs has no direct I/O.
direct=$([ "$(stat -f -c %T .)" = tmpfs ] && echo false || echo true)
# This volume is a device of the host, if the test can make one.
truncate -s 16M "$test_dir/device.img"
mke2fs -q -t ext4 "$test_dir/device.img"
device=$(losetup -f --show "$test_dir/device.img" 2>/dev/null)
trap 'losetup -d "$device" 2>/dev/null; test_end' EXIT
{
	echo "storeDisk: {direct: $direct}"
	echo "volumes: [{image: data.img, size: 64, mountPoint: /data, label: precious, direct: $direct}"
	echo "  , {image: more.img, fsType: vfat, mountPoint: /more, autoCreate: false, readOnly: true}${device:+, {image: $device, mountPoint: /device, autoCreate: false\}}]"
	fast_kernel
} | compile vm "$guest" || finish
check "a start fails when a volume that is not created is missing" test "$(start vm; echo $?)" = 1
expect "the message names the missing volume" \
	"$log" '^microvm-run: vm: the volume more.img is missing$'
check "no other volume was created before" test ! -e data.img
truncate -s 16M more.img
busybox mkdosfs more.img
before=$(sha256sum <more.img)

# Only a boot whose guest came up counts.
# shellcheck disable=SC2317 # vm_run calls it
restore() {
	rm -f data.img
	[ ! -e "$test_dir/data.img" ] || cp --sparse=always "$test_dir/data.img" data.img
}
vm_before=restore
boot vm '^volume: '
ends_well "the first boot ends with status 0"
expect "the guest mounts its volume" "$console" '^volume: /dev/vd. /data ext4 rw'
expect "the guest mounts the read-only volume" "$console" '^volume: /dev/vd. /more vfat ro'
if [ -n "$device" ]; then
	expect "the guest mounts the host's block device" \
		"$console" '^volume: /dev/vd. /device ext4 rw'
else
	skip "the guest mounts the host's block device" "losetup makes none"
fi
expect "the guest sees the volume's size" "$console" '^volume: size (5[0-9]|6[0-9])[0-9]{3} KiB'
expect "the first boot finds the volume empty" "$console" '^volume: boot 1'
expect_no "the first boot sees no second boot" "$console" '^volume: boot 2'
sound "the volume after the first boot" data.img
cp --sparse=always data.img "$test_dir/data.img"
inode=$(stat -c %i "$test_dir/data.img")
boot vm '^volume: '
ends_well "the second boot ends with status 0"
expect "the second boot finds what the first one wrote" "$console" '^volume: boot 1'
expect "the second boot adds to it" "$console" '^volume: boot 2'
sound "the volume after the second boot" data.img
debugfs -R 'cat /boots' data.img >"$log" 2>/dev/null
check "the image has what the guest wrote" test "$(cat "$log")" = "$(printf 'boot 1\nboot 2')"
# A daemon's child may have no standard input, output and errors at all.
timeout $((20 * limit)) "$test_dir/vm/bin/microvm-run" <&- >&- 2>&-
check "a third boot without standard input, output and error ends with status 0" test $? = 0
sound "the volume after the third boot" data.img
debugfs -R 'cat /boots' data.img >"$log" 2>/dev/null
expect "the guest of the third boot has run" "$log" '^boot 3$'
check "the read-only volume has not changed" test "$before" = "$(sha256sum <more.img)"

finish

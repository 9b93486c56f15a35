#!/bin/bash
# SPDX-License-Identifier: MIT
# Volumes: how a start creates them, whole or not at all; and that a guest's data is there when it boots again.
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
need_programs e2fsck dumpe2fs debugfs setsid
guest_setup
guest=$(guest_build volume-guest) || exit 1
log=$test_dir/log

sound() { check "$1: its file system is sound" e2fsck -fn "$2"; }
no_litter() { check "$1: nothing else is left" test -z "$(find . -mindepth 1 ! -name '*.img')"; }
start() { "$test_dir/$1/bin/microvm-run" </dev/null >"$log" 2>&1; }

# ---- creation: QEMU is one that does nothing, gzip does it badly ----

mkdir -p "$test_dir/fake/bin" "$test_dir/bad"
printf '#!/bin/sh\nexit 0\n' >"$test_dir/fake/bin/qemu-system-x86_64"
chmod +x "$test_dir/fake/bin/qemu-system-x86_64"
{
	printf '%s\n' 'volumes: [{image: "data\\tank.img", size: 16}]'
	echo "qemu: {package: $test_dir/fake}"
	fast_kernel
} | compile backslash "$guest" || finish
check "a backslash in an image's name" start backslash
sound "with a backslash" 'data\tank.img'
rm ./*.img
{
	echo 'volumes: [{image: data.img, size: 64, label: precious}, {image: big.img, size: 2G}]'
	echo "qemu: {package: $test_dir/fake}"
	fast_kernel
} | compile new "$guest" || finish

# bad_gzip COMMAND...: what gzip does from now on in this directory's PATH.
bad_gzip() {
	printf '#!/bin/bash\n%s\n' "$1" >"$test_dir/bad/gzip"
	chmod +x "$test_dir/bad/gzip"
}
real_gzip=$(command -v gzip)
start_badly() { PATH=$test_dir/bad:$PATH start "$@"; }

check "a first start" start new
check "creates a volume of its size" test "$(stat -c %s data.img)" = $((64 << 20))
check "and a larger one" test "$(stat -c %s big.img)" = $((2 << 30))
check "sparse: $(du -k data.img big.img | cut -f 1 | tr '\n' ' ')KiB" test "$(du -k data.img big.img | awk '{ s += $1 } END { print s }')" -lt 2048
sound "the small one" data.img
sound "the large one" big.img
dumpe2fs -h data.img >"$log" 2>&1
expect "it has its label" "$log" '^Filesystem volume name: *precious$'
check "it belongs to who started, and nobody else reads it" test "$(stat -c "%u %a" data.img)" = "$(id -u) 600"
no_litter "created"

inode=$(stat -c '%i %Y %Z' data.img)
check "the second start" start new
check "leaves it alone" test "$(stat -c '%i %Y %Z' data.img)" = "$inode"
rm ./*.img
echo "not a file system" >data.img
chmod 444 data.img
inode=$(stat -c '%i %Y %Z' data.img)
check "a start with a file of that name" start new
check "leaves it alone, whatever it is" test "$(cat data.img) $(stat -c '%i %Y %Z' data.img)" = "not a file system $inode"
rm -f ./*.img

bad_gzip "$real_gzip \"\$@\" | head -c 3000; echo broken gzip >&2; exit 2"
check "a start that cannot unpack fails" test "$(start_badly new; echo $?)" = 1
expect "and says so" "$log" '^microvm-run: vm: cannot create the volume data.img$'
expect "and why" "$log" '^mvm-host: the volume data.img: gzip -dc failed with status 2$'
expect "in its words" "$log" '^broken gzip$'
check "there is no image" test ! -e data.img
no_litter "failed"

bad_gzip "echo \$\$ >'$test_dir/gzip-pid'; exec sleep 3000"
# A start in a process group of its own, as a host's unit has it; until it unpacks.
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
check "though it had begun" test -n "$(find . -name '.mvm-new-*')"
check "the next start succeeds" start new
sound "created after that" data.img
no_litter "created after that"
rm ./*.img
start_group
kill -TERM -- "-$group"
wait "$group" 2>/dev/null
check "a start that is stopped leaves no image" test ! -e data.img
no_litter "stopped"

bad_gzip "sleep 0.3; exec $real_gzip \"\$@\""
PATH=$test_dir/bad:$PATH "$test_dir/new/bin/microvm-run" </dev/null >"$test_dir/log2" 2>&1 &
check "two starts at once: one" start_badly new
wait $!
check "two starts at once: the other" test $? = 0
check "with one image" test "$(stat -c %h data.img)" = 1
sound "from two starts" data.img
no_litter "from two starts"
rm ./*.img

# File systems without hard links (FAT, exFAT, SMB), without RENAME_NOREPLACE (NFS, 9p), without either: their calls' answers.
create() { # CALL:error=ERROR...
	local call inject=()
	for call; do inject+=(-e "inject=$call"); done
	strace -f -q -o /dev/null "${inject[@]}" "$test_dir/new/libexec/mvm-host" volume create data.img archive "$test_dir/new/share/microvm/volumes/0.tar.gz" >"$log" 2>&1
}
if strace -o /dev/null true 2>/dev/null; then
	for case in "no hard links|link:error=EPERM" "no rename of that kind|renameat2:error=EINVAL" "neither|link:error=EPERM renameat2:error=EINVAL" \
		"no sync of directories|fsync:error=EINVAL:when=2"; do
		# shellcheck disable=SC2086 # two words
		check "${case%|*}: it is created" create ${case#*|}
		sound "${case%|*}" data.img
		no_litter "${case%|*}"
		echo "somebody's" >data.img
		# shellcheck disable=SC2086
		check "${case%|*}: what is there" create ${case#*|}
		check "${case%|*}: stays" test "$(cat data.img)" = "somebody's"
		rm data.img
	done
	check "a name that cannot be given" test "$(create renameat2:error=EIO; echo $?)" = 1
	expect "is told, and why" "$log" 'the volume data.img: cannot give it its name: I/O error$'
	check "and a disk that fails" test "$(create fsync:error=EIO; echo $?)" = 1
	expect "likewise" "$log" 'the volume data.img: I/O error$'
	no_litter "failed at its end"
	# Where io_uring is forbidden.
	strace -q -o /dev/null -e inject=io_uring_setup:error=EPERM "$test_dir/new/libexec/mvm-host" aio >"$log" 2>&1
	expect "without io_uring there are threads" "$log" '^threads$'
	expect "which is told" "$log" 'io_uring cannot be used here \(Operation not permitted\)'
	# A tmpfs before Linux 6.6.
	check "without direct I/O: status 1" test "$(strace -q -o /dev/null -e inject=open:error=EINVAL:when=2 "$test_dir/new/libexec/mvm-host" volume direct . >"$log" 2>&1; echo $?)" = 1
	expect "and told" "$log" 'its file system has no direct I/O'
else
	skip "other file systems" "no program can be traced here"
fi

# A hypervisor that says with what it was started, on a file system with direct I/O and on one without, by what mvm-host says of it.
mkdir -p "$test_dir/words/bin"
printf '#!/bin/sh\nprintf "%%s\\n" "$@"\n' >"$test_dir/words/bin/qemu-system-x86_64"
chmod +x "$test_dir/words/bin/qemu-system-x86_64"
{
	echo "volumes: [{image: past.img, size: 16, direct: true}]"
	echo "qemu: {package: $test_dir/words}"
	fast_kernel
} | compile past "$guest" || finish
chmod -R u+w "$test_dir/past"
mv "$test_dir/past/libexec/mvm-host" "$test_dir/past/libexec/real"
# shellcheck disable=SC2016 # for the script
printf '#!/bin/sh\n[ "$1 $2" != "volume direct" ] || { echo "no direct I/O" >&2; exit "$NO_DIRECT"; }\nexec "${0%%/*}/real" "$@"\n' >"$test_dir/past/libexec/mvm-host"
chmod +x "$test_dir/past/libexec/mvm-host"
check "a disk past the page cache" env NO_DIRECT=0 "$test_dir/past/bin/microvm-run"
expect "is one where that can be" "$test_dir/.check" '^id=.*past.img,.*,cache=none,read-only=off$'
check "where it cannot, it starts as well" env NO_DIRECT=1 "$test_dir/past/bin/microvm-run"
expect "by the page cache" "$test_dir/.check" '^id=.*past.img,.*,discard=unmap,read-only=off$'
expect "which is told" "$test_dir/.check" '^no direct I/O$'
check "microvm-check finds it ready" env NO_DIRECT=1 "$test_dir/past/bin/microvm-check"
expect "and tells it too" "$test_dir/.check" '^no direct I/O$'
rm -f past.img

ln -s "$test_dir/not-mounted/data.img" data.img
check "an image that is a link to nothing is refused" test "$(start new; echo $?)" = 1
expect "and told" "$log" 'data.img is a symbolic link to nothing'
rm data.img
start_tiny() { (cd "$test_dir/tiny" && start new); }
if [ "$(id -u)" = 0 ] && mkdir "$test_dir/tiny" && mount -t tmpfs -o size=32k tmpfs "$test_dir/tiny"; then
	check "a full disk" test "$(start_tiny; echo $?)" = 1
	expect "is told" "$log" 'No space left on device'
	check "and leaves nothing" test -z "$(ls -A "$test_dir/tiny")"
	mount -o remount,size=4m "$test_dir/tiny"
	check "with more room it succeeds" start_tiny
	sound "on a small disk" "$test_dir/tiny/data.img"
	umount "$test_dir/tiny"
else
	skip "a full disk" "cannot mount a tmpfs"
fi

# ---- the guest's data ----

# A tmpfs knows no direct I/O.
direct=$([ "$(stat -f -c %T .)" = tmpfs ] && echo false || echo true)
# A device of the host, when there is one to have.
truncate -s 16M "$test_dir/device.img"
mke2fs -q -t ext4 "$test_dir/device.img"
device=$(losetup -f --show "$test_dir/device.img" 2>/dev/null)
trap 'losetup -d "$device" 2>/dev/null; test_end' EXIT
{
	echo "volumes: [{image: data.img, size: 64, mountPoint: /data, label: precious, direct: $direct}"
	echo "  , {image: more.img, fsType: vfat, mountPoint: /more, autoCreate: false, readOnly: true}${device:+, {image: $device, mountPoint: /device, autoCreate: false\}}]"
	fast_kernel
} | compile vm "$guest" || finish
check "a volume that nobody creates is asked for" test "$(start vm; echo $?)" = 1
expect "by its name" "$log" '^microvm-run: vm: the volume more.img is missing$'
check "before any is created" test ! -e data.img
truncate -s 16M more.img
busybox mkdosfs more.img
before=$(sha256sum <more.img)

# Only a boot whose guest came up counts.
# shellcheck disable=SC2317 # vm_run calls it
restore() { rm -f data.img; [ ! -e "$test_dir/data.img" ] || cp --sparse=always "$test_dir/data.img" data.img; }
vm_before=restore
boot vm '^volume: '
check "the first boot ends well" test "$status" = 0
expect "the volume is mounted" "$console" '^volume: /dev/vd. /data ext4 rw'
expect "so is the one that is read-only" "$console" '^volume: /dev/vd. /more vfat ro'
if [ -n "$device" ]; then
	expect "and the host's device" "$console" '^volume: /dev/vd. /device ext4 rw'
else
	skip "the host's device" "losetup makes none"
fi
expect "it has its size" "$console" '^volume: size (5[0-9]|6[0-9])[0-9]{3} KiB'
expect "the first boot finds it empty" "$console" '^volume: boot 1'
expect_no "and nothing of a second" "$console" '^volume: boot 2'
sound "after the first boot" data.img
cp --sparse=always data.img "$test_dir/data.img"
inode=$(stat -c %i "$test_dir/data.img")
boot vm '^volume: '
check "the second boot ends well" test "$status" = 0
expect "it finds what the first wrote" "$console" '^volume: boot 1'
expect "and adds to it" "$console" '^volume: boot 2'
sound "after the second boot" data.img
debugfs -R 'cat /boots' data.img >"$log" 2>/dev/null
check "the data is in the image" test "$(cat "$log")" = "$(printf 'boot 1\nboot 2')"
# A daemon's child may have no standard input, output and errors at all.
timeout $((20 * limit)) "$test_dir/vm/bin/microvm-run" <&- >&- 2>&-
check "the third boot, without standard files, ends well" test $? = 0
sound "after the third boot" data.img
debugfs -R 'cat /boots' data.img >"$log" 2>/dev/null
expect "the guest has run" "$log" '^boot 3$'
check "a volume that is read-only has not changed" test "$before" = "$(sha256sum <more.img)"

finish

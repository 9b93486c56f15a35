#!/bin/bash
# SPDX-License-Identifier: MIT
# Checks how a start creates volumes of every file system with their mkfs and enlarges their images,
# and how it completes a growth that an older version did not finish.
# shellcheck disable=SC2317,SC2120 # check calls the functions
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
need_programs e2fsck debugfs dumpe2fs blkid mkfs.xfs mkfs.btrfs mkfs.vfat xfs_db setsid \
	flock
guest_setup
guest=$(guest_build volume-guest) || exit 1
log=$test_dir/log
# No VM runs, so any accelerator will do.
export MICROVM_ACCEL=tcg

# This QEMU does nothing.
mkdir -p "$test_dir/fake/bin" "$test_dir/bad"
printf '#!/bin/sh\nexit 0\n' >"$test_dir/fake/bin/qemu-system-x86_64"
chmod +x "$test_dir/fake/bin/qemu-system-x86_64"
describe() { # NAME VOLUMES
	{
		echo "volumes: [$2]"
		echo "qemu: {package: $test_dir/fake}"
		fast_kernel
	} | compile "$1" "$guest" || finish
}
start() { "$test_dir/$1/bin/microvm-run" </dev/null >"$log" 2>&1; }
start_badly() { PATH=$test_dir/bad:$PATH start "$@"; }
refused() { # DESCRIPTION NAME REGEX
	check "$1 is refused" test "$(start "$2"; echo $?)" = 1
	expect "$1: the message has the reason" "$log" "$3"
}
sound() { check "$1: its file system is sound" e2fsck -fn "$2"; }
mib() { stat -c %s "$1" | awk '{ print $1 / 1048576 }'; }
no_litter() {
	check "$1: there are no other files" test -z "$(find . -mindepth 1 ! -name '*.img')"
}
value() { blkid -p -o value -s "$2" "$1"; }

# ---- creation ----

describe all "{image: 2.img, fsType: ext2, size: 64, label: two}, {image: 3.img, fsType: ext3, size: 64, label: three}
  , {image: 4.img, size: 64, label: four, mkfsExtraArgs: [-N, '5000', -O, ^has_journal]}
  , {image: x.img, fsType: xfs, size: 300, label: twelve bytes, mkfsExtraArgs: [-m, reflink=0]}
  , {image: b.img, fsType: btrfs, size: 128, label: \"it's btrfs\"}, {image: v.img, fsType: vfat, size: 16, label: EXCHANGE}"
check "a start creates volumes of six kinds" start all
for kind in 2:ext2:two 3:ext3:three 4:ext4:four "x:xfs:twelve bytes" "b:btrfs:it's btrfs" \
	v:vfat:EXCHANGE; do
	IFS=: read -r image type label <<<"$kind"
	check "$type: the volume has this file system" test "$(value "$image.img" TYPE)" = "$type"
	check "$type: the volume has its label" test "$(value "$image.img" LABEL)" = "$label"
	check "$type: only the owner may read the volume" test "$(stat -c %a "$image.img")" = 600
done
check "mkfsExtraArgs: the ext4 has the number of inodes that was asked for" \
	test "$(dumpe2fs -h 4.img 2>/dev/null | sed -n 's/^Inode count: *//p')" -lt 6000
check "mkfsExtraArgs: the ext4 has no journal" \
	test -z "$(dumpe2fs -h 4.img 2>/dev/null | grep has_journal)"
check "mkfsExtraArgs: the xfs has no reflinks" \
	test -z "$(xfs_db -r -c version x.img | grep REFLINK)"
sound ext2 2.img
sound ext3 3.img
sound ext4 4.img
no_litter "created"
uuids=$(for image in *.img; do value "$image" UUID; done)
rm ./*.img
check "a start creates the volumes once more" start all
check "the volumes get the same UUIDs" \
	test "$uuids" = "$(for image in *.img; do value "$image" UUID; done)"
check "the UUIDs differ from each other" test "$(sort -u <<<"$uuids" | wc -l)" = 6
rm ./*.img

# A missing mkfs is found before anything is created. All other tools are there.
mkdir "$test_dir/few"
for program in bash readlink dirname cat gzip stat; do
	ln -s "$(command -v $program)" "$test_dir/few/"
done
cp -r "$test_dir/all" "$test_dir/all-few"
chmod -R u+w "$test_dir/all-few"
sed 's|:/usr/sbin:/sbin||' "$test_dir/all/bin/microvm-run" >"$test_dir/all-few/bin/microvm-run"
PATH=$test_dir/few "$test_dir/all-few/bin/microvm-run" </dev/null >"$log" 2>&1
check "a start without the mkfs fails" test $? = 1
expect "a start without the mkfs names its package" "$log" \
	'^microvm-run: vm: mkfs.ext4 is needed to create the volume 4.img; install e2fsprogs'
check "a start without the mkfs creates nothing" test -z "$(ls -A)"

# tool NAME COMMAND: replaces the tool NAME from now on; $real is the real one.
tool() {
	printf '#!/bin/bash\nreal=%q\n%s\n' "$(command -v "$1")" "$2" >"$test_dir/bad/$1"
	chmod +x "$test_dir/bad/$1"
}
# The start has its own process group, as in a host's unit: a tool that runs "kill -KILL 0" ends all
# of it.
start_group() {
	PATH=$test_dir/bad:$PATH setsid -w "$test_dir/$1/bin/microvm-run" </dev/null >"$log" 2>&1
}
tool mkfs.btrfs 'echo "no such feature" >&2; exit 1'
check "a start with a mkfs that fails fails" test "$(start_badly all; echo $?)" = 1
expect "a failed mkfs: its message is printed" "$log" '^no such feature$'
expect "a failed mkfs: the volume is named" \
	"$log" '^microvm-run: vm: cannot create the volume b.img$'
check "a failed mkfs: there is no image" test ! -e b.img
no_litter "a failed mkfs"
# shellcheck disable=SC2016 # for the tool
tool mkfs.btrfs '$real "$@"; kill -KILL 0'
start_group all
check "a start killed in mkfs leaves no image" test ! -e b.img
check "a start killed in mkfs had begun" test -n "$(find . -name '.mvm-new-*')"
rm "$test_dir/bad/mkfs.btrfs"
check "the next start after that succeeds" start all
check "the next start makes the volume" test "$(value b.img TYPE)" = btrfs
no_litter "a start killed in mkfs"
rm ./*.img

# ---- growth ----

volumes() { # MIB-OF-EXT MIB-OF-XFS MIB-OF-BTRFS
	echo "{image: 2.img, fsType: ext2, size: $1}, {image: 3.img, fsType: ext3, size: $1}, {image: data.img, size: $1}
		, {image: x.img, fsType: xfs, size: $2}, {image: b.img, fsType: btrfs, size: $3}, {image: v.img, fsType: vfat, size: 16}"
}
describe small "$(volumes 64 300 128)"
describe large "$(volumes 256 400 256)"
describe grow "{image: data.img, size: 256}"
check "a first start" start small

# Files, and free space between them that is not zero, because files were deleted.
mkdir "$test_dir/files"
for i in $(seq 20); do head -c $((i * 7000)) /dev/urandom >"$test_dir/files/$i"; done
head -c 20M /dev/urandom >"$test_dir/garbage"
for image in 2.img 3.img data.img; do
	{
		echo "write $test_dir/garbage garbage"
		for i in $(seq 20); do echo "write $test_dir/files/$i $i"; done
		echo "rm garbage"
	} | debugfs -w -f - "$image" >"$log" 2>&1
	sound "$image, with files" "$image"
done
same_files() { # IMAGE
	rm -rf "$test_dir/dump"
	mkdir "$test_dir/dump"
	debugfs -R "rdump / $test_dir/dump" "$1" >/dev/null 2>&1
	rm -rf "$test_dir/dump/lost+found"
	diff -r "$test_dir/files" "$test_dir/dump"
}
mkdir "$test_dir/before"
cp --sparse=always ./*.img "$test_dir/before/"
restore() { # [IMAGE]...
	find . -mindepth 1 -delete
	(cd "$test_dir/before" && cp --sparse=always "${@:-data.img}" "$OLDPWD")
}
unchanged() { check "$1: nothing is touched" cmp data.img "$test_dir/before/data.img"; }
# larger IMAGE MIB: the image begins with its old contents, followed by zeros.
larger() {
	cp --sparse=always "$test_dir/before/$1" "$test_dir/expected" &&
		truncate -s "$2M" "$test_dir/expected" && cmp "$1" "$test_dir/expected"
}

check "a start with larger volumes succeeds" start large
cp "$log" "$test_dir/said"
for volume in "2.img ext2 256" "3.img ext3 256" "data.img ext4 256" "x.img xfs 400" \
	"b.img btrfs 256"; do
	read -r image type size <<<"$volume"
	check "$type: the image is larger and its file system as it was" larger "$image" "$size"
	expect "$type: the message says where the file system grows" "$test_dir/said" \
		"^microvm-run: vm: the volume $image has $size MiB now; its $type file system has to grow in the guest$"
done
for image in 2.img 3.img data.img; do
	sound "$image, larger" "$image"
	check "$image, larger: its files are the same" same_files "$image"
done
no_litter "larger volumes"
inode=$(stat -c '%i %Y %Z' data.img)
check "the next start succeeds" start large
check "the next start leaves the image alone" test "$(stat -c '%i %Y %Z' data.img)" = "$inode"
expect_no "the next start says nothing of the images" "$log" 'grow in the guest'
cp --sparse=always data.img "$test_dir/grown.img"
refused "a volume that is to be smaller" small \
	'^mvm-host: the volume 2.img: it has 256 MiB, its size in the description is 64: a volume is never made smaller$'
check "a volume that is to be smaller is not touched" cmp data.img "$test_dir/grown.img"
check "microvm-check refuses it too" \
	test "$("$test_dir/small/bin/microvm-check" >"$log" 2>&1; echo $?)" = 1
expect "microvm-check names each such volume" "$log" 'the volume data.img: it has 256 MiB'

describe fat "{image: data.img, size: 256}, {image: v.img, fsType: vfat, size: 32}"
restore data.img v.img
refused "a vfat that is to be larger" fat 'the volume v.img: a vfat cannot grow from 16 to 32 MiB$'
unchanged "a vfat that is to be larger"
describe narrow "{image: data.img, size: 256}, {image: b.img, fsType: btrfs, size: 200}"
restore data.img b.img
refused "a btrfs that the kernel would not make larger" \
	narrow 'the volume b.img: a btrfs can only grow to 256 MiB or more'
unchanged "a btrfs that the kernel would not make larger"
mkdir "$test_dir/elsewhere"
mv data.img "$test_dir/elsewhere/"
ln -s "$test_dir/elsewhere/data.img" data.img
check "a start with a link to an image succeeds" start grow
check "what the link points to becomes larger" test "$(mib "$test_dir/elsewhere/data.img")" = 256
check "nothing else is beside what the link points to" test \
	"$(ls -A "$test_dir/elsewhere")" = data.img

restore
(
	flock 9
	start grow
) 9<data.img
expect "an image in use is refused" "$log" 'the volume data.img: it is in use: a running VM has it'
unchanged "an image in use"
echo "something else" >data.img
check "a start with something else than a file system succeeds" start grow
expect "the message says that something else stays as it is" \
	"$log" 'the volume data.img: it contains no ext4, so its size is left unchanged$'
check "something else than a file system stays as it is" test "$(cat data.img)" = "something else"

# ---- a growth that an older version began and did not complete ----

# growth_log.tar.gz is from mvmbuild 0.1: an ext4 of 8 MiB and the log that grows it to 200 MiB,
# from a start that was killed as soon as the log had its name.
describe old "{image: data.img, size: 200}"
describe wider "{image: data.img, size: 256}"
describe lower "{image: data.img, size: 100}"
interrupted() {
	find . -mindepth 1 -delete
	tar -xzf "$top/tests/e2e/storage/growth_log.tar.gz"
}
is_complete() {
	[ "$(mib data.img)" = "${1:-200}" ] && [ "$(ls -A)" = data.img ] && e2fsck -fn data.img &&
		dumpe2fs -h data.img 2>/dev/null | grep -q '^Block count: *51200$' &&
		debugfs -R 'cat /numbers' data.img 2>/dev/null | cmp - <(seq 1 500)
}
complete() { "$test_dir/old/libexec/mvm-host" volume grow data.img 200 ext4 >"$log" 2>&1; }
interrupted
mkdir data.img.grow.new
: >data.img.grow.new/before
cp --sparse=always data.img "$test_dir/begun.img"
cp data.img.grow "$test_dir/begun.log"
check "microvm-check finds a VM ready whose growth was interrupted" \
	"$test_dir/old/bin/microvm-check"
check "microvm-check touches nothing of an interrupted growth" cmp data.img.grow \
	"$test_dir/begun.log"
check "a start after an interrupted growth succeeds" start old
check "a start completes an interrupted growth" is_complete
cp --sparse=always data.img "$test_dir/completed.img"
interrupted
check "a start completes an interrupted growth and makes the image larger still" start wider
check "the image has its new size, the file system that of the log" is_complete 256
interrupted
refused "a size below that of the log" lower 'it has 200 MiB, its size in the description is 100'
check "the growth is complete then too" is_complete
interrupted
mv data.img.grow other.grow
mkdir data.img.grow.new
: >data.img.grow.new/log
check "a start without a log removes what was left before the log had its name" start old
check "the image is larger" test "$(mib data.img)" = 200
check "nothing is left beside it" test \
	"$(find . -mindepth 1 | sort | xargs)" = "./data.img ./other.grow"
mkdir data.img.grow.new
exec 8<data.img
check "what was left before the log had its name does not stop a read-only user of the image" \
	"$test_dir/old/libexec/mvm-host" volume grow data.img 200 ext4 8
exec 8<&-
interrupted
echo LUKS >data.img
truncate -s 16M data.img
check "something else than a file system is not an error beside a log" complete
expect "the message says that something else stays as it is, beside a log too" \
	"$log" 'it contains no ext4, so its size is left unchanged$'
check "something else keeps its size, beside a log too" test "$(mib data.img)" = 16
interrupted
echo "not a log" >data.img.grow
refused "a file of this name that is not a log" old \
	'the volume data.img: the file .grow beside it is not a log of its growth$'
check "the image beside it is left alone" cmp data.img "$test_dir/begun.img"

calls='ftruncate pwrite64 fsync unlink'
killed() { # CALL NUMBER
	interrupted
	# It runs in a separate shell, so that no message about the kill is printed.
	(strace -q -o "$test_dir/trace" -e "trace=${calls// /,}" \
		-e "inject=$1:signal=KILL:when=$2" "$test_dir/old/libexec/mvm-host" volume grow \
		data.img 200 ext4 >"$log" 2>&1; exit) 2>/dev/null
}
if strace -o /dev/null true 2>/dev/null; then
	killed unlink 60000
	cp "$test_dir/trace" "$test_dir/all-calls"
	wrong=0 times=0
	for call in $calls; do
		for n in $(seq "$(grep -c "^$call(" "$test_dir/all-calls")"); do
			if killed "$call" "$n"; then
				not_ok "the completion is killed at $call $n" "$log"
			fi
			times=$((times + 1))
			if ! complete || ! is_complete >"$test_dir/complete" 2>&1; then
				wrong=$((wrong + 1))
				echo "# killed at $call $n:"
				cat "$log" "$test_dir/complete"
			fi
		done
	done
	check "the completion was killed at each of its $times calls" test "$times" -ge 12
	check "the next start completes what a killed completion left" test "$wrong" = 0
	writes=$(grep -c '^pwrite64(' "$test_dir/all-calls")
	killed pwrite64 $((writes * 3 / 4))
	debugfs -w -R 'set_super_value volume_name used' data.img >/dev/null 2>&1
	cp --sparse=always data.img "$test_dir/mixed.img"
	refused "an image that was used in the middle of its growth" old \
		'the volume data.img: its growth was interrupted, and something has written to it since'
	check "an image that was used in the middle is left alone" \
		cmp data.img "$test_dir/mixed.img"
	check "its log is left alone" cmp data.img.grow "$test_dir/begun.log"
else
	skip "the completion is killed at calls" "no program can be traced here"
fi
# The power fails while the log is applied: any sector is old or new.
cc -std=c11 -D_GNU_SOURCE -o "$test_dir/tear" "$top/tests/e2e/lib/tear.c" || exit 1
wrong=0
for seed in $(seq 40); do
	interrupted
	"$test_dir/tear" data.img data.img.grow "$seed" >"$log" || wrong=$((wrong + 1))
	complete
	cmp data.img "$test_dir/completed.img" || { wrong=$((wrong + 1)); cat "$log"; }
done
check "the next start completes a growth with torn sectors, each time" test "$wrong" = 0
# The image was used while its log was waiting, so the log no longer applies.
interrupted
debugfs -w -R 'set_super_value volume_name used' data.img >/dev/null 2>&1
check "a start drops the log of an image that was used since" start old
check "what was done to that image is kept" test "$(value data.img LABEL)" = used
sound "an image that was used since" data.img
check "that image is larger" test "$(mib data.img)" = 200
check "its log is gone" test "$(ls -A)" = data.img

finish

#!/bin/bash
# SPDX-License-Identifier: MIT
# Volumes of every file system: how a start creates them with their mkfs, and makes them grow, also
# when it is killed at any point of that.
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
need_programs e2fsck resize2fs debugfs dumpe2fs blkid mkfs.xfs mkfs.btrfs mkfs.vfat xfs_db setsid \
	flock
guest_setup
guest=$(guest_build volume-guest) || exit 1
log=$test_dir/log
# Nothing runs, so nobody needs to look for KVM.
export MICROVM_ACCEL=tcg

# QEMU is one that does nothing.
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

# mkfs is missing: found out before anything is created. All else is there.
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

# tool NAME COMMAND: what NAME does from now on; $real is the true one.
tool() {
	printf '#!/bin/bash\nreal=%q\n%s\n' "$(command -v "$1")" "$2" >"$test_dir/bad/$1"
	chmod +x "$test_dir/bad/$1"
}
# A start in a process group of its own, as a host's unit has it: a tool that says "kill -KILL 0"
# ends all of it.
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

# Files, and among them free space that is not zero: what was deleted.
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
# e2fsck has noted its visit.
# shellcheck disable=SC2317 # check calls it
is_as_before() { [ "$(mib data.img)" = 64 ] && e2fsck -fn data.img && same_files data.img; }
as_before() { check "$1: the file system is as it was" is_as_before; }

check "volumes that are to be larger: it starts" start large
for image in 2.img 3.img data.img; do
	sound "$image, grown" "$image"
	check "$image has its size" test "$(mib "$image")" = 256
	check "so has its file system" \
		test "$(dumpe2fs -h "$image" 2>/dev/null | sed -n 's/^Block count: *//p')" = 65536
	check "its files are the same" same_files "$image"
done
check "xfs: the image has its size" test "$(mib x.img)" = 400
expect "xfs: it is told who goes on" \
	"$log" '^microvm-run: vm: the volume x.img has 400 MiB now; its xfs file system grows in the guest$'
check "btrfs: the image has its size" test "$(mib b.img)" = 256
no_litter "grown"
inode=$(stat -c '%i %Y %Z' data.img)
check "the next start" start large
check "leaves it alone" test "$(stat -c '%i %Y %Z' data.img)" = "$inode"
cp data.img "$test_dir/grown.img"
refused "a volume that is to be smaller" small \
	'^mvm-host: the volume 2.img: it has 256 MiB, its size in the description is 64: a volume is never made smaller$'
check "nothing is touched" cmp data.img "$test_dir/grown.img"
check "microvm-check says it too" \
	test "$("$test_dir/small/bin/microvm-check" >"$log" 2>&1; echo $?)" = 1
expect "of each volume" "$log" 'the volume data.img: it has 256 MiB'

describe fat "{image: data.img, size: 256}, {image: v.img, fsType: vfat, size: 32}"
restore data.img v.img
refused "a vfat that is to be larger" fat 'the volume v.img: a vfat cannot grow from 16 to 32 MiB$'
unchanged "a vfat that is to be larger"
describe narrow "{image: data.img, size: 256}, {image: b.img, fsType: btrfs, size: 200}"
restore data.img b.img
refused "a btrfs that the kernel would not make larger" \
	narrow 'the volume b.img: a btrfs grows to 256 MiB at least'
unchanged "a btrfs that the kernel would not make larger"
describe far "{image: data.img, size: 1T}"
restore
refused "a growth that would move data" far \
	'the volume data.img: it can grow to [0-9]+ MiB at most without moving its data: make a new, larger one and copy'
unchanged "a growth that would move data"
no_litter "a growth that would move data"

mkdir "$test_dir/elsewhere"
mv data.img "$test_dir/elsewhere/"
ln -s "$test_dir/elsewhere/data.img" data.img
check "a link to an image: it starts" start grow
check "and what it points to grows" test "$(mib "$test_dir/elsewhere/data.img")" = 256
check "nothing else is left there" test "$(ls -A "$test_dir/elsewhere")" = data.img

restore
(
	flock 9
	start grow
) 9<data.img
expect "an image in use is refused" "$log" 'the volume data.img: it is in use: a running VM has it'
unchanged "an image in use"
echo "something else" >data.img
check "what is no file system: it starts" start grow
expect "what is no file system: it is told" \
	"$log" 'the volume data.img: it holds no ext4, so it stays as large as it is$'
check "what is no file system: it stays" test "$(cat data.img)" = "something else"

restore
for name in e2fsck e2image resize2fs; do
	tool $name 'echo "broken tool"; exit 8'
	check "a $name that fails: refused" test "$(start_badly grow; echo $?)" = 1
	expect "a $name that fails: its words" "$log" '^broken tool$'
	expect "a $name that fails: and told" \
		"$log" "the volume data.img: $name .* failed with status 8$"
	no_litter "a $name that fails"
	rm "$test_dir/bad/$name"
done
as_before "tools that fail"

# ---- growth, killed ----

grows_now() {
	start grow && [ "$(mib data.img)" = 256 ] && e2fsck -fn data.img && same_files data.img &&
		[ "$(ls -A)" = data.img ]
}
# shellcheck disable=SC2016 # for the tools
for moment in "before e2fsck|e2fsck|kill -KILL 0" \
	"after e2image|e2image|\$real \"\$@\"; kill -KILL 0" \
	"after resize2fs|resize2fs|\$real \"\$@\"; kill -KILL 0"; do
	IFS='|' read -r description name command <<<"$moment"
	restore
	tool "$name" "$command"
	start_group grow
	rm "$test_dir/bad/$name"
	as_before "killed $description"
	check "killed $description: it had begun" test -n "$(find . -name data.img.grow.new)"
	check "killed $description: the next start completes it" grows_now
done

# At calls that change something, but for the copying beside the image: where the old file system
# has free space that is not zero, they are thousands.
calls='mkdir ftruncate pwrite64 fsync rename unlink rmdir'
killed() { # CALL NUMBER
	restore
	# Runs in a shell of its own, so that nobody prints that it was killed.
	(strace -q -o "$test_dir/trace" -e "trace=${calls// /,}" \
		-e "inject=$1:signal=KILL:when=$2" "$test_dir/grow/libexec/mvm-host" volume grow \
		data.img 256 ext4 >"$log" 2>&1; exit) 2>/dev/null
}
# Some of CALL's numbers: all, or at the beginning, where the log ends and the image begins, and at
# the end.
numbers() { # CALL
	local n
	n=$(grep -c "^$1(" "$test_dir/all-calls")
	if [ "$n" -lt 20 ]; then
		seq "$n"
	else
		printf '%s\n' {1..4} $((n / 4)) $((n / 2 - 1)) $((n / 2)) $((n / 2 + 1)) \
			$((n / 2 + 2)) $((3 * n / 4)) $(seq $((n - 6)) "$n")
	fi
}
if strace -o /dev/null true 2>/dev/null; then
	killed mkdir 60000
	cp "$test_dir/trace" "$test_dir/all-calls"
	wrong=0 in_log=0 in_image=0
	for call in $calls; do
		for n in $(numbers "$call"); do
			if killed "$call" "$n"; then
				not_ok "killed at $call $n: it is not" "$log"
			fi
			if [ -e data.img.grow ]; then
				in_image=$((in_image + 1))
			elif [ "$(mib data.img)" = 64 ]; then
				in_log=$((in_log + 1))
			fi
			grows_now >"$test_dir/grows" 2>&1 ||
				{ wrong=$((wrong + 1)); echo "# killed at $call $n:"; cat "$log" \
				"$test_dir/grows"; ls -A; }
		done
	done
	check "killed at any of its calls, the next start completes it" test "$wrong" = 0
	check "killed before the log has its name: $in_log times" test "$in_log" -ge 12
	check "killed after that: $in_image times" test "$in_image" -ge 12
	writes=$(grep -c '^pwrite64(' "$test_dir/all-calls")
	# The start that completes it is killed too.
	killed pwrite64 $((writes * 3 / 4))
	(strace -q -o /dev/null -e trace=pwrite64 -e inject=pwrite64:signal=KILL:when=9 \
		"$test_dir/grow/libexec/mvm-host" volume grow data.img 256 ext4 >"$log" 2>&1; \
		exit) 2>/dev/null
	check "killed twice: its log waits" test -e data.img.grow
	check "killed twice: the next start completes it" grows_now
	# Power fails while the log is carried out: any sector is old or new. This file system has
	# no second superblock, and a guest left its journal.
	cc -std=c11 -D_GNU_SOURCE -o "$test_dir/tear" "$top/tests/e2e/lib/tear.c" || exit 1
	wrong=0
	for journal in "" "-w -c"; do
		restore
		truncate -s 24M data.img
		mke2fs -q -F -t ext4 -O '^resize_inode' data.img
		printf 'write %s 1\n' "$test_dir/files/5" | debugfs -w -f - data.img >"$log" 2>&1
		# A commit that was not carried out: of the free block 5000.
		[ -z "$journal" ] || printf 'jo\njw -b 5000 %s\njc\n' "$test_dir/files/1" |
			debugfs -w -f - data.img >"$log" 2>&1
		cp --sparse=always data.img "$test_dir/whole.img"
		logs=0
		while [ "$(mib data.img)" = 24 ]; do
			cp --sparse=always data.img "$test_dir/log-before.img"
			(strace -q -o /dev/null -e trace=ftruncate,unlink \
				-e inject=unlink:signal=KILL:when=7 \
				"$test_dir/grow/libexec/mvm-host" volume grow data.img 64 \
				ext4 >"$log" 2>&1; exit) 2>/dev/null
			[ -e data.img.grow ] || break
			logs=$((logs + 1))
			cp data.img.grow "$test_dir/saved.grow"
			size=$(($(od -An -tu8 -j 16 -N 8 data.img.grow) >> 20))
			"$test_dir/grow/libexec/mvm-host" volume grow data.img "$size" ext4 \
				>"$log" 2>&1
			cp --sparse=always data.img "$test_dir/log-after.img"
			for seed in $(seq 20); do
				cp --sparse=always "$test_dir/log-before.img" data.img
				cp "$test_dir/saved.grow" data.img.grow
				"$test_dir/tear" data.img data.img.grow "$seed" >"$log" ||
					wrong=$((wrong + 1))
				"$test_dir/grow/libexec/mvm-host" volume grow data.img "$size" \
					ext4 >"$log" 2>&1
				cmp data.img "$test_dir/log-after.img" ||
					{ wrong=$((wrong + 1)); cat "$log"; }
			done
		done
		check "torn sectors${journal:+, with a journal}: $logs logs" \
			test "$logs" = "$([ -z "$journal" ] && echo 1 || echo 2)"
		check \
			"torn sectors${journal:+, with a journal}: the next start completes them, each time" \
			test "$wrong" = 0
		check "torn sectors${journal:+, with a journal}: sound" e2fsck -fn data.img
		# Nothing but the log's own writer opens the image to write.
		cp --sparse=always "$test_dir/whole.img" data.img
		strace -f -q -o "$test_dir/opened" -e trace=open,openat \
			"$test_dir/grow/libexec/mvm-host" volume grow data.img 64 ext4 >"$log" 2>&1
		check "torn sectors${journal:+, with a journal}: nobody else writes" test \
			"$(grep -cE '/data\.img", .*O_(RDWR|WRONLY)' "$test_dir/opened")" = 1
	done
	# Somebody else goes on with an image whose log waits: that log is of no use then.
	killed ftruncate 3
	check "killed before the image changes: its log waits" test -e data.img.grow
	debugfs -w -R 'set_super_value volume_name used' data.img >/dev/null 2>&1
	check "an image that was used in between grows from what it is" grows_now
	check "what was done to it is kept" test "$(value data.img LABEL)" = used
	killed pwrite64 $((writes * 3 / 4))
	debugfs -w -R 'set_super_value volume_name used' data.img >/dev/null 2>&1
	cp data.img "$test_dir/mixed.img"
	refused "one that was used in the middle of its change" grow \
		'the volume data.img: somebody else has written to it in the middle of its growth$'
	check "it is left alone" cmp data.img "$test_dir/mixed.img"
else
	skip "killed at calls" "no program can be traced here"
fi

finish

# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Cuts the power of a host that works. A guest runs a scene on a disk whose writes QEMU logs.
# replay.c makes images from the log that the disk may hold after a cut at any time, and this
# machine mounts each of them, checks it and goes on with it. Source it after guest.sh.
#
# A scene is a file power/NAME.sh with three functions. They run as root in the directory $data,
# which is the disk, and find what they need in $world, which has the same path in the guest and on
# this machine:
#   prepare  fills the disk, on this machine
#   act      works while writes are logged, in the guest; it calls `mark N` with N = 1, 2, ...
#   judge    checks the disk after the cut, on this machine; $mark is the last mark that was
#            reached. It calls `bad WHAT` for every fault
# The guest also has the store paths $paths.
#
# A scene may set the size and the type of its file system: scene_mib=128 (MiB), scene_type=xfs.
# With scene_writeback=yes, ext4 does not write data before the metadata that refers to them: a file
# may have its size, but contain zeros. With scene_disk=400 the disk has 400 MiB, to which the file
# system grows; such a scene has no marks. MVM_LONG=N tries N times as many points, MVM_SCENES="a b"
# runs only these scenes.

# shellcheck disable=SC2154,SC2034,SC2317 # set and used by what sources it
power_mib=320
# Further variables that scenes use.
power_names=()

# power_setup: makes the world and the parts of a guest. The scenes' fixtures fill `world` below it.
power_setup() {
	need_programs qemu-system-x86_64 e2fsck losetup mkfs.ext4 unshare nix-build cc
	world=$test_dir/world data=$test_dir/data
	mkdir -p "$world/bin" "$data"
	cc -std=c11 -D_GNU_SOURCE -O2 -o "$test_dir/replay" "$top/tests/long/lib/replay.c" || exit 1
	cc -std=c11 -D_GNU_SOURCE -I "$top" -o "$world/bin/grow_step" \
		"$top/tests/e2e/lib/grow_step.c" "$top"/imaging/guest/init/{grow,file}.c \
		"$top"/base/{plain_file,number}.c || exit 1
	cp "$mvmbuild" "$(dirname "$mvmbuild")/microvm" "$world/bin/"
	cp /etc/mke2fs.conf "$world/"
	stage_programs "$test_dir/files" "$mvmbuild" "$(dirname "$mvmbuild")/microvm" bash awk \
		basename cat chattr chmod chown cmp cp cut date dd diff dirname dmesg env \
		find flock grep head id ln ls mkdir mkfs.btrfs mkfs.vfat mkfs.xfs mke2fs mkfs.ext4 \
			mktemp mount mv readlink realpath rm rmdir sed sha256sum sleep sort stat \
			sync tail tar \
		gzip timeout touch tr truncate uname umount xargs || exit 1
	# Runs QEMU with a log of the disk of this name.
	mkdir -p "$test_dir/qemu/bin"
	cat >"$test_dir/qemu/bin/qemu-system-x86_64" <<-'Q'
		#!/bin/bash
		argv=()
		for argument; do
			if [ -n "${RECORD:-}" ] && [[ $argument == id=*,file="$RECORD",* ]]; then
				argument="${argument%%,*},if=none,driver=blklogwrites,log-sector-size=512,file.driver=raw,file.file.filename=$RECORD"
				argument+=",log.driver=raw,log.file.filename=$RECORD.log"
			fi
			argv+=("$argument")
		done
		PATH=${PATH#*/qemu/bin:}
		exec qemu-system-x86_64 "${argv[@]}"
	Q
	chmod +x "$test_dir/qemu/bin/qemu-system-x86_64"
}

# Prints the functions that scenes may use, for the guest and the judges.
power_words() {
	declare -p test_dir world data sectors NIX_STORE_DIR "${power_names[@]}"
	cat <<-'W'
		export PATH=$world/bin:$PATH:/usr/sbin:/sbin MKE2FS_CONFIG=$world/mke2fs.conf NO_COLOR=1 MICROVM_ACCEL=tcg XDG_CACHE_HOME=$test_dir/none
		export NIX_STATE_DIR=$test_dir/none
		# Trees are equal if this prints the same for both.
		tree() { (cd "$1" 2>/dev/null && find . -printf '%p %y %m %l\n' | LC_ALL=C sort && find . -type f -print0 | LC_ALL=C sort -z | xargs -0r sha256sum) | sha256sum; }
		same() { [ -d "$1" ] && [ "$(tree "$1")" = "$(tree "$2")" ]; }
	W
}

scene_mkfs() { # IMAGE
	case $scene_type in
	ext4) mkfs.ext4 -q -F -b 4096 "$1" "${scene_mib}M" && if [ -n "$scene_writeback" ]
	then tune2fs -o journal_data_writeback "$1"
	fi ;;
	ext3) mkfs.ext3 -q -F -b 4096 "$1" "${scene_mib}M" ;;
	xfs) mkfs.xfs -q -d "size=${scene_mib}m" "$1" ;;
	btrfs) mkfs.btrfs -q -b "${scene_mib}M" "$1" ;;
	esac
}

# Makes a new disk with the files that the scene prepares. It has one MiB more than the file system,
# for the marks.
scene_prepare() {
	truncate -s "${scene_disk}M" "$scene_dir/start"
	# shellcheck disable=SC2016
	scene_mkfs "$scene_dir/start" &&
		unshare -m bash -euc \
			'. "$1/words"; . "$2"; mount -o loop "$3" "$data"; cd "$data"; prepare' - \
			"$test_dir" "$scene_file" "$scene_dir/start"
}

# The guest's part. Marks are written behind the file system, directly to the disk. The pauses give
# the kernel time to write back data that nobody has synced.
scene_script() {
	power_words
	cat <<-'S'
		mkdir -p "$world" && mount --bind "$runners" "$world"
		mark() {
			dd if=/dev/zero of="$(sed -n "s|^\([^ ]*\) $data .*|\1|p" /proc/mounts)" bs=4096 seek=$((sectors / 8 + $1)) count=1 oflag=direct conv=notrunc status=none
			echo "mark $1"
		}
		# Not every file system has this option.
		mount -o remount,commit=1 "$data" 2>/dev/null || true
		echo 20 >/proc/sys/vm/dirty_writeback_centisecs
		echo 50 >/proc/sys/vm/dirty_expire_centisecs
		cd "$data"
	S
	cat "$scene_file"
	echo '(set -e; act); echo "acted, status $?"; sleep 2; mark 99'
}

scene_record() {
	scene_script >"$test_dir/script"
	rm -rf "$test_dir/lab"
	local system
	system=$(nix_build "$top/tests/e2e/lib/nix/lab.nix" toplevel --argstr labFiles \
		"$test_dir/files" \
		--argstr labRunners "$world" --argstr labScript "$test_dir/script") || return
	{
		echo "mem: 1536"
		echo "qemu: {package: $test_dir/qemu}"
		echo "volumes: [{image: disk, size: $scene_disk, fsType: $scene_type, mountPoint: $data}]"
		echo "storePaths: [$(printf '%s, ' "${paths[@]}")]"
		fast_kernel
	} | compile lab "$system" || return
	vm_before=scene_reset
	cd "$scene_dir" || return
	RECORD=disk MICROVM_ACCEL=tcg MICROVM_KERNEL_PARAMS=quiet vm_run 600 "$console" \
		'^lab: started' "$test_dir/lab/bin/microvm-run"
	cd "$test_dir/state" || return
	unset vm_before
	cp "$console" "$scene_dir/console"
	grep -q '^acted, status 0' "$console" && grep -q '^mark 99' "$console"
}

# shellcheck disable=SC2317 # vm_run calls it
scene_reset() {
	rm -f "$scene_dir/disk.log"
	cp --sparse=always "$scene_dir/start" "$scene_dir/disk"
	truncate -s 4G "$scene_dir/disk.log"
}

# scene_judge COUNT: judges COUNT points with one process for each processor.
scene_judge() {
	local part parts
	parts=$(nproc)
	# The kernel does not mount two copies of one of these file systems.
	case $scene_type in ext[34]) ;; *) parts=1 ;; esac
	for ((part = 0; part < parts; part++)); do
		unshare -m "$test_dir/replay" points "$scene_dir/disk.log" "$scene_dir/start" \
			"$scene_dir/point$part" "$sectors" "$1" "${MVM_SEED:-1}" "$part/$parts" \
			bash "$top/tests/long/lib/power_judge.sh" "$test_dir" "$scene_file" \
				"$scene_dir/point$part" >"$scene_dir/judged$part" 2>&1 &
	done
	wait
	cat "$scene_dir"/judged*
}

# scene NAME POINTS [FILE]: records the scene of power/NAME.sh or power/FILE.sh, and judges that
# number of points.
scene() {
	case " ${MVM_SCENES:-$1} " in *" $1 "*) ;; *) return ;; esac
	scene_file=$top/tests/long/lib/power/${3:-$1}.sh scene_dir=$test_dir/scene
	scene_mib=$power_mib scene_type=ext4 scene_disk='' scene_writeback=''
	eval "$(grep '^scene_[a-z]*=[a-z0-9]*$' "$scene_file")"
	sectors=$((${scene_disk:-$scene_mib} * 2048))
	scene_disk=${scene_disk:-$((scene_mib + 1))}
	mkdir -p "$scene_dir"
	rm -f "$scene_dir"/*
	power_words >"$test_dir/words"
	if ! scene_prepare >"$test_dir/prepared" 2>&1; then
		not_ok "$1: the scene is prepared" "$test_dir/prepared"
		return
	fi
	if ! scene_record; then
		not_ok "$1: the guest carries out the scene and its writes are logged" "$console"
		return
	fi
	"$test_dir/replay" all "$scene_dir/disk.log" "$scene_dir/start" "$scene_dir/all" |
		sed "s/^/# $1: /"
	check "$1: the log has all writes" cmp "$scene_dir/all" "$scene_dir/disk"
	scene_judge "$(($2 * ${MVM_LONG:-1}))" >"$scene_dir/judged"
	sed -n 's/^note: //p' "$scene_dir/judged" | sort | uniq -c | sed "s/^ */# $1: /"
	local points bads
	read -r points bads \
		< <(awk '$1 == "points" { points += $2; bad += $4 } END { print points + 0, bad + 0 }' "$scene_dir/judged")
	check "$1: $points cuts of the power were tried" \
		test "$points" -ge $((points < $2 ? points : $2)) -a "$points" -gt 0
	if [ "$bads" = 0 ] && ! grep -qE '^(replay|.*: line [0-9]+): ' "$scene_dir/judged"; then
		ok "$1: every cut ends well"
	else
		not_ok "$1: every cut ends well, except $bads" "$scene_dir/judged"
	fi
	[ -z "${MVM_TEST_KEEP:-}" ] || { rm -rf "$test_dir/scene-$1" &&
		mv "$scene_dir" "$test_dir/scene-$1"; }
}

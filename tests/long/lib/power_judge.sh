#!/bin/bash
# SPDX-License-Identifier: MIT
# Judges one point in its own mount namespace: power_judge.sh TEST_DIR SCENE IMAGE MARK POINT.
# Prints each fault; the status is 0 if there is none. A torn block may require e2fsck before the
# disk can be mounted, as on any machine, so it runs first.
# shellcheck disable=SC2154,SC1091,SC2317 # of the words; the scene calls the functions
set -u
. "$1/words"
# shellcheck source=/dev/null
. "$2"
image=$3 mark=$4 point=$5 wrong=0
export mark
bad() {
	wrong=1
	echo "bad: $point, mark $mark: $*"
}
note() { echo "note: $*"; }
# ok NAME COMMAND...: runs the command, which must succeed; otherwise its output is a fault.
must() {
	local said
	said=$("${@:2}" 2>&1) || bad "$1: $(tail -n 8 <<<"$said")"
}

sound() {
	local said
	case ${scene_type:-ext4} in
	xfs) said=$(xfs_repair -n -f "$image" 2>&1) ;;
	btrfs) said=$(btrfs check "$image" 2>&1) ;;
	*) said=$(e2fsck -fn "$image" 2>&1) ;;
	esac || bad "$1: the disk's own file system: $(tail -n 5 <<<"$said")"
}
# A kernel that replays the growth of an ext file system counts its groups right only at the next
# mount; stage 1 mounts it twice too (imaging/guest/init/mounts.c).
replay_journal() {
	dumpe2fs -h "$image" 2>/dev/null | grep -q '^Filesystem features:.* needs_recovery' &&
		mount -o loop "$image" "$data" 2>/dev/null && umount "$data"
}
enter() {
	replay_journal
	mount -o loop "$image" "$data" 2>/dev/null && return
	case ${scene_type:-ext4}$point in
	ext[34]*-torn) ;;
	*) bad "the disk cannot be mounted" ;;
	esac
	e2fsck -fp "$image" >/dev/null 2>&1
	[ $? -le 3 ] && [[ ${scene_type:-ext4} = ext[34] ]] && mount -o loop "$image" "$data" &&
		note "mounted after e2fsck -fp" && return
	bad "the disk cannot be mended"
}

mount --make-rprivate /
if enter; then
	cd "$data" && judge
	cd /
	umount "$data"
	sound "in the end"
fi
exit $wrong

# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # run.sh sets what all parts use
# Part of tests/bench/run.sh: plain, the erofs without compression. The store and the disk are on
# one file system.

# shellcheck disable=SC2016 # the inner shell's
hash_files=(sh -c 'find "$1" -type f -exec cat {} + | openssl dgst -sha256 >/dev/null' sh)
used_bytes() { # DIRECTORY
	sync
	df --output=used -B1 "$1" | tail -n 1
}

# Mounts a copy of the closure on the store.
mount_store() { # DIRECTORY
	mkdir -p "$1/store"
	xargs -a "$scratch/base" cp -a -t "$1/store"
	mount --bind "$1/store" "$NIX_STORE_DIR"
	"${hash_files[@]}" "$1/store" # reads it into the page cache
}
unmount_store() { if mountpoint -q "$NIX_STORE_DIR"; then umount "$NIX_STORE_DIR"; fi; }

plain_build() { # ROW VERIFY DIRECTORY
	rm -rf "$3/out"
	timed_build "$1" base "$3/out" --no-cache --set storeDiskType=erofs \
		--set storeDisk.compression=none --set storeDisk.verify="$2"
}

# Sets $space to the bytes that a disk takes of the file system. Nothing was deleted before, because
# the space of deleted files comes back late.
measure_space() { # FILESYSTEM DIRECTORY
	local before
	before=$(used_bytes "$2")
	plain_build "plain-$1-space" false "$2"
	space=$(($(used_bytes "$2") - before -
		$(du -sB1 --exclude=stage1.erofs "$2/out" | cut -f 1)))
}

plain_on() { # FILESYSTEM DIRECTORY
	local fs=$1 directory=$2 how=always most=1 round space verify
	[ "$fs" != ext4 ] || how=never most=1.1
	mount_store "$directory"
	measure_space "$fs" "$directory"
	for ((round = 1; round <= rounds; round++)); do
		timed "plain-$fs-copy" cp -a --reflink="$how" "$directory/store" "$directory/copy"
		rm -rf "$directory/copy"
		timed "plain-$fs-hash" "${hash_files[@]}" "$directory/store"
		for verify in false true; do
			plain_build "plain-$fs-$verify" "$verify" "$directory"
		done
	done
	timed "plain-$fs-mkfs" mkfs.erofs -T0 --all-root "$directory/erofs" "$directory/store"
	row "\`cp -a --reflink=$how\` of the closure, $fs" "plain-$fs-copy"
	row "SHA-256 of its files" "plain-$fs-hash"
	row "mvmbuild, \`verify: false\`, $fs" "plain-$fs-false" "$((space / 1000000))"
	row "mvmbuild, $fs" "plain-$fs-true" "$((space / 1000000))"
	row "mkfs.erofs $(erofs_version), $fs, one round" "plain-$fs-mkfs" \
		"$(megabytes "$directory/erofs")"
	bar "plain erofs on $fs, \`verify: false\`: CPU against cp -a --reflink=$how of the closure" \
		"$(ratio "plain-$fs-false" "plain-$fs-copy" cpu)" '<=' "$most"
	[ "$fs" = ext4 ] || bar "plain erofs on $fs: new space, % of the files" \
		"$(awk -v space="$space" -v all="$(du -sb "$directory/store" | cut -f 1)" \
			'BEGIN { print 100 * space / all }')" '<=' 12
	unmount_store
}

bench_plain() {
	local fs
	paths base >"$scratch/base"
	table 'erofs without compression' 'new MB'
	for fs in ${FILESYSTEMS:-xfs btrfs} ext4; do
		mount_loop "$fs" 6 || continue
		plain_on "$fs" "$scratch/mounted"
		unmount_loop
	done
}

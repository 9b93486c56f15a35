# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # run.sh sets what all parts use
# Parts of tests/bench/run.sh: squashfs, level15, reflink.

# The output is removed before the clock starts.
peer_mksquashfs() { # ROW LEVEL
	rm -f "$scratch/mk"
	timed "$1" mksquashfs "${base[@]}" "$scratch/mk" -no-progress -quiet -comp zstd \
		-Xcompression-level "$2" -all-root -no-xattrs -keep-as-directory
}
peer_gensquashfs() { # ROW LEVEL
	rm -f "$scratch/gen"
	timed "$1" gensquashfs -q -D "$scratch/stage" -c zstd -X level="$2" -j "$(nproc)" \
		--all-root "$scratch/gen"
}
# Copies a file twice: as a build has left it, when parts that bypassed the page cache or share
# other files' blocks are read from the disk, and again from the page cache.
copy() { # ROW FILE
	rm -f "$2.copy"
	timed "$1-left" cp --reflink=never "$2" "$2.copy"
	rm -f "$2.copy"
	timed "$1" cp --reflink=never "$2" "$2.copy"
	rm -f "$2.copy"
}

copy_and_sync() { cp --reflink=never "$1" "$1.copy" && sync "$1.copy"; }
export -f copy_and_sync

# The CPU time of a cold build, less that of hashing (openssl's without reading), divided by the
# peer's in the same round.
unhashed_ratio() { # ROW
	paste -d ' ' "$scratch/rows/cold" "$scratch/rows/hashing" "$scratch/rows/reading" \
		"$scratch/rows/$1" | awk '{ print ($1 - $4 + $7) / $10 }' | median
}

squashfs_round() {
	local image=$scratch/out/share/microvm/stage1.squashfs
	rm -rf "$scratch/cache"
	ours cold base --cache "$scratch/cache"
	timed hashing openssl dgst -sha256 "$scratch/contents"
	timed reading dd if="$scratch/contents" of=/dev/null bs=64K
	peer_mksquashfs mksquashfs3 3
	peer_gensquashfs gensquashfs3 3
	ours warm base --cache "$scratch/cache"
	copy copy "$image"
	ours warm-unsynced base --cache "$scratch/cache" --no-sync
	timed copy-sync bash -c 'copy_and_sync "$@"' bash "$image"
	rm -f "$image.copy"
	timed_build same base "$scratch/out" --cache "$scratch/cache"
	cp -a "$scratch/cache" "$scratch/cache.before"
	ours small small --cache "$scratch/cache"
	ours large large --cache "$scratch/cache"
	rm -rf "$scratch/cache"
	mv "$scratch/cache.before" "$scratch/cache"
	ours warm-again base --cache "$scratch/cache"
}

bench_squashfs() {
	local round size
	stage
	find "${base[@]}" -type f -exec cat {} + >"$scratch/contents"
	for ((round = 1; round <= rounds; round++)); do
		echo "squashfs: round $round of $rounds" >&2
		squashfs_round
	done
	size=$(megabytes "$scratch/out/share/microvm/stage1.squashfs")
	table 'squashfs, zstd level 3' 'image MB'
	row 'mvmbuild, cold cache' cold "$size"
	row "SHA-256 of the same files, by \`openssl dgst\`" hashing
	row 'reading them' reading
	row 'mksquashfs' mksquashfs3 "$(megabytes "$scratch/mk")"
	row 'gensquashfs' gensquashfs3 "$(megabytes "$scratch/gen")"
	row 'mvmbuild, warm cache' warm "$size"
	row "the same with \`--no-sync\`" warm-unsynced "$size"
	row "\`cp --reflink=never\` of the image as the build left it" copy-left "$size"
	row "the same again, from the page cache" copy "$size"
	row "and with sync, as builds do without \`--no-sync\`" copy-sync "$size"
	row 'mvmbuild, 2 small store paths changed' small
	row 'mvmbuild, 3 store paths changed, one of 44 MB' large
	row 'mvmbuild, nothing changed, runner there' same
	local better=mksquashfs3
	awk -v a="$(value mksquashfs3 cpu)" -v b="$(value gensquashfs3 cpu)" \
		'BEGIN { exit !(a > b) }' && better=gensquashfs3
	bar "squashfs, cold: CPU against $better" "$(ratio cold $better cpu)" '<=' 0.95
	bar "the same without the hashing, which no peer does" "$(unhashed_ratio $better)" '<=' 0.95
	bar 'squashfs, warm: wall time against cp --reflink=never of the image as it is then' \
		"$(ratio warm copy-left wall)" '<=' 1.5
	bar 'the same against cp from the page cache, which does not wait for the disk' \
		"$(ratio warm copy wall)" '<=' 1.5
	bar 'the same with --no-sync' "$(ratio warm-unsynced copy wall)" '<=' 1.5
	bar 'squashfs, warm: wall time against cp from the page cache and sync' \
		"$(ratio warm copy-sync wall)" '<=' 1.5
	bar 'squashfs, warm: CPU against the better peer' "$(ratio warm $better cpu)" '<=' 0.05
}

# The reference's default runs only once: it takes minutes, and hardly varies.
bench_level15() {
	stage
	ran small || {
		ours cold base --cache "$scratch/cache"
		ours small small --cache "$scratch/cache"
	}
	peer_mksquashfs mksquashfs15 15
	peer_gensquashfs gensquashfs15 15
	table 'squashfs, zstd level 15, one round' 'image MB'
	row 'mksquashfs (its default)' mksquashfs15 "$(megabytes "$scratch/mk")"
	row "gensquashfs (its default, the reference's)" gensquashfs15 "$(megabytes "$scratch/gen")"
	bar "2 small store paths changed: less CPU than gensquashfs at level 15, times" \
		"$(ratio gensquashfs15 small cpu)" '>=' 400
}

# The cache and the output are on one file system where files can share blocks.
reflink_on() { # FILESYSTEM GIGABYTES ROW TITLE [ARGUMENT]...
	local row=$3 title=$4 round image output
	mount_loop "$1" "$2" || return 0
	output=$scratch/mounted/out/runner
	image=$output/share/microvm/stage1.squashfs
	set -- "${@:5}" --cache "$scratch/mounted/cache"
	mkdir "$scratch/mounted/out"
	command_of base "$output" "$@"
	"${command_line[@]}" >/dev/null
	for ((round = 1; round <= rounds; round++)); do
		rm -rf "$output"
		timed_build "$row-warm" base "$output" "$@"
		rm -rf "$output"
		timed_build "$row-unsynced" base "$output" "$@" --no-sync
		copy "$row-copy" "$image"
	done
	row "mvmbuild on $title, warm cache" "$row-warm" "$(megabytes "$image")"
	row "the same with \`--no-sync\`" "$row-unsynced" "$(megabytes "$image")"
	row "\`cp --reflink=never\` of the image as the build left it on $title" "$row-copy-left" \
		"$(megabytes "$image")"
	row "the same again, from the page cache" "$row-copy" "$(megabytes "$image")"
	bar "squashfs on $title, warm: wall time against cp --reflink=never of the image as it is then" "$(ratio "$row-warm" "$row-copy-left" wall)" '<=' 0.15
	bar "the same with --no-sync" "$(ratio "$row-unsynced" "$row-copy-left" wall)" '<=' 0.15
	bar "the same against cp from the page cache, with --no-sync" \
		"$(ratio "$row-unsynced" "$row-copy" wall)" '<=' 0.15
	unmount_loop
}

# Adds two store paths of 1 GB of data that does not compress, equal in every run; prints them.
more_paths() {
	local name
	mkdir -p "$scratch/more"
	for name in one two; do
		head -c 1000000000 /dev/zero | openssl enc -aes-128-ctr -pass "pass:$name" -nosalt \
			-pbkdf2 >"$scratch/more/$name"
		nix-store --add "$scratch/more/$name"
	done
	rm -r "$scratch/more"
}

bench_reflink() {
	local fs paths
	table 'squashfs, in a loop-mounted file' 'image MB'
	paths=$(more_paths)
	for fs in ${FILESYSTEMS:-xfs btrfs}; do
		reflink_on "$fs" 4 "$fs" "$fs"
		reflink_on "$fs" 12 "$fs-more" "$fs, with 2 GB more" \
			--set storePaths="[${paths//$'\n'/, }]"
	done
	# shellcheck disable=SC2086 # words
	nix-store --delete $paths >"$scratch/log" 2>&1
}

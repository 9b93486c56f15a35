# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # run.sh sets what all parts use
# Part of tests/bench/run.sh: verity.

# Makes the hash tree of a plain image as somebody without mvmbuild would.
peer_veritysetup() { # ROW IMAGE
	local bytes
	cp --reflink=never --no-preserve=mode "$2" "$scratch/plain"
	truncate -s %4096 "$scratch/plain"
	bytes=$(stat -c %s "$scratch/plain")
	timed "$1" veritysetup format --hash-offset="$bytes" --data-blocks=$((bytes / 4096)) \
		"$scratch/plain" "$scratch/plain"
	rm "$scratch/plain"
}

bench_verity() {
	local round image=$scratch/out/share/microvm/stage1.squashfs tree
	ours verity-cache base --cache "$scratch/cache"
	for ((round = 1; round <= rounds; round++)); do
		echo "verity: round $round of $rounds" >&2
		ours plain base --cache "$scratch/cache"
		peer_veritysetup veritysetup "$image"
		ours verity base --cache "$scratch/cache" --set storeDisk.verity=true
	done
	tree=$(jq '.storeDisk.size - .storeDisk.verity.hashOffset' \
		"$scratch/out/share/microvm/manifest.json")
	table 'dm-verity, squashfs, warm cache' 'hash tree, MB'
	row 'mvmbuild, without' plain
	row 'mvmbuild, with a hash tree' verity \
		"$(awk -v bytes="$tree" 'BEGIN { printf "%.1f", bytes / 1e6 }')"
	row "\`veritysetup format\` of an image that is there" veritysetup
}

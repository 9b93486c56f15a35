# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # run.sh sets what all parts use
# Part of tests/bench/run.sh: erofs.

mkfs_erofs=${MKFS_EROFS:-mkfs.erofs}
erofs_version() { # mkfs.erofs 1.5 does not print its version
	local version
	version=$("$mkfs_erofs" -V 2>/dev/null | grep -o '[0-9][0-9]*\.[0-9][0-9.]*' | head -n 1) ||
		true
	echo "${version:-1.5}"
}

# Uses the reference's flags. Before version 1.6, mkfs.erofs silently ignores -Efragments, which it
# does not know, and has no labels.
peer_erofs() { # ROW COMPRESSION
	local -a flags=("-z$2" -Eztailpacking)
	"$mkfs_erofs" --help 2>&1 | grep -q -- ' -L' && flags+=(-Efragments -L nix-store)
	rm -f "$scratch/erofs"
	timed "$1" "$mkfs_erofs" "${flags[@]}" -T0 --all-root "$scratch/erofs" "$scratch/stage"
}

erofs_of() { # COMPRESSION
	local compression=$1 round image=$scratch/out/share/microvm/stage1.erofs size whole
	local -a flags=(--cache "$scratch/cache-erofs" --set storeDiskType=erofs \
		--set storeDisk.compression="$compression")
	rm -rf "$scratch/cache-erofs"
	ours "$compression-cold" base "${flags[@]}"
	peer_erofs "$compression-whole" "$compression"
	for ((round = 1; round <= rounds; round++)); do
		ours "$compression-warm" base "${flags[@]}"
		copy "$compression-copy" "$image"
	done
	size=$(megabytes "$image") whole=$(megabytes "$scratch/erofs")
	ours "$compression-small" small "${flags[@]}"
	rm -rf "$scratch/cache-erofs" "$scratch/erofs"
	row "mvmbuild, $compression, cold cache, one round" "$compression-cold" "$size"
	row "mkfs.erofs $(erofs_version) of the whole closure, $compression, one round" \
		"$compression-whole" "$whole"
	row "mvmbuild, $compression, warm cache" "$compression-warm" "$size"
	row "\`cp --reflink=never\` of the image, from the page cache" "$compression-copy" "$size"
	row "mvmbuild, $compression, 2 small store paths changed, one round" "$compression-small"
}

bench_erofs() {
	stage
	table 'erofs' 'image MB'
	erofs_of lz4hc
	erofs_of lz4
	bar "erofs lz4hc, warm: less CPU than mkfs.erofs $(erofs_version) of the whole closure, times" "$(ratio lz4hc-whole lz4hc-warm cpu)" '>=' 50
}

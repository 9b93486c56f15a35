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
	for ((round = 1; round <= rounds; round++)); do
		rm -rf "$scratch/cache-erofs"
		ours "$compression-cold" base "${flags[@]}"
		peer_erofs "$compression-whole" "$compression"
	done
	for ((round = 1; round <= rounds; round++)); do
		ours "$compression-warm" base "${flags[@]}"
		copy "$compression-copy" "$image"
	done
	size=$(megabytes "$image") whole=$(megabytes "$scratch/erofs")
	ours "$compression-small" small "${flags[@]}"
	rm -rf "$scratch/cache-erofs" "$scratch/erofs"
	row "mvmbuild, $compression, cold cache" "$compression-cold" "$size"
	row "mkfs.erofs $(erofs_version) of the whole closure, $compression" \
		"$compression-whole" "$whole"
	row "mvmbuild, $compression, warm cache" "$compression-warm" "$size"
	row "\`cp --reflink=never\` of the image, from the page cache" "$compression-copy" "$size"
	row "mvmbuild, $compression, 2 small store paths changed, one round" "$compression-small"
	bar "erofs $compression, cold: CPU against mkfs.erofs $(erofs_version) of the whole closure" \
		"$(ratio "$compression-cold" "$compression-whole" cpu)" '<=' 0.95
	bar "erofs $compression: size against mkfs.erofs $(erofs_version)" \
		"$(awk -v ours="$size" -v theirs="$whole" 'BEGIN { print ours / theirs }')" \
		'<=' 1.01
}

# A store path with a hole of 4.8 GB, whose zeros are a part of its hash.
hole_of() { # TYPE HOLE [ARGUMENT]...
	local row=hole-$1 path=$2
	timed "$row" "$mvmbuild" cache pack -q --progress none --cache "$scratch/cache-hole" \
		--set storeDir="$NIX_STORE_DIR" --set storeDisk.type="$1" "${@:3}" "$path"
	rm -rf "$scratch/cache-hole"
	row "mvmbuild cache pack, $1${3:+, lz4}" "$row"
	bar "$1${3:+, lz4}: CPU of a hole of 4.8 GB besides its SHA-256, s" \
		"$(awk -v ours="$(value "$row" cpu)" -v hash="$(value hole-hash cpu)" \
			'BEGIN { print ours - hash }')" '<=' 1
	rm "$scratch/rows/$row"
}
bench_hole() {
	local hole
	# shellcheck disable=SC2016 # the builder's
	hole=$(nix-build --no-out-link -E 'derivation {
		name = "hole"; system = builtins.currentSystem; builder = "/bin/sh";
		PATH = "/usr/bin:/bin";
		args = [ "-c" "mkdir $out; cd $out; truncate -s 4800000000 hole; echo end >>hole" ];
	}' 2>"$scratch/log") || { cat "$scratch/log" >&2; return 1; }
	table 'a hole of 4.8 GB' ''
	timed hole-hash openssl dgst -sha256 "$hole/hole"
	row 'openssl dgst -sha256' hole-hash
	hole_of squashfs "$hole"
	hole_of erofs "$hole"
	hole_of erofs "$hole" --set storeDisk.compression=lz4
	nix-store --delete "$hole" >"$scratch/log" 2>&1
}

bench_erofs() {
	stage
	table 'erofs' 'image MB'
	erofs_of lz4hc
	erofs_of lz4
	bar "erofs lz4hc, warm: less CPU than mkfs.erofs $(erofs_version) of the whole closure, times" "$(ratio lz4hc-whole lz4hc-warm cpu)" '>=' 50
}

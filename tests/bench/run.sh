#!/bin/bash
# SPDX-License-Identifier: MIT
# Times mvmbuild against its peers, in turn, in one run: tests/bench/run.sh [MVMBUILD]. Prints a table in Markdown; docs/performance.md holds one.
# Whole processes: CPU is user and system time. Of mvmbuild the whole build is timed, stage 1 and publishing included; of the peers the image alone.
#   ROUNDS=3   how often each is run; the median is printed      LEVEL15=0   leave out the peers at level 15, which take minutes
#   EROFS=0    leave out erofs      MKFS_EROFS=mkfs.erofs   the peer's program; what it cannot of the reference's flags is left out
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
mvmbuild=$(realpath "${1:-$top/build/mvmbuild}")
work=$top/build/bench
rounds=${ROUNDS:-3}
mkdir -p "$work"
"$top/tests/bench/closure.sh" "$work/nix" >&2
# shellcheck source=tests/e2e/nix.sh
. "$top/tests/e2e/nix.sh"
nix_env_setup "$work/nix"
kernel=$("$top/tests/e2e/kernel.sh")
cd "$work"

paths() { nix-store -qR "$(readlink -f "$work/nix/$1")" | sort; }

# timed ROW COMMAND...: runs it and adds "CPU WALL KIB" to the row's file.
timed() {
	local row=$1 output
	shift
	output=$(command time -f '%U %S %e %M' "$@" 2>&1 >/dev/null | tail -n 1)
	awk -v t="$output" 'BEGIN { split(t, v, " "); printf "%.3f %.3f %d\n", v[1] + v[2], v[3], v[4] }' >>"rows/$row"
}

median() { # FILE COLUMN
	sort -n -k "$2,$2" "$1" | awk -v c="$2" '{ v[NR] = $c } END { print v[int((NR + 1) / 2)] }'
}

compile() { # VARIANT OUTPUT [ARGUMENT]...
	local variant=$1 output=$2
	shift 2
	"$mvmbuild" -q --progress none --set hostName=bench --set toplevel="$(readlink -f "nix/$variant")" --set storeDir="$NIX_STORE_DIR" \
		--set kernel="$kernel" -o "$output" "$@" empty.yaml
}
export -f compile
export mvmbuild NIX_STORE_DIR kernel
echo '{}' >empty.yaml
rm -rf rows cache out peers
mkdir -p rows peers stage

mapfile -t base < <(paths base)
if [ ! -e stage/.done ]; then
	cp -a "${base[@]}" stage/
	touch stage/.done
fi
find "${base[@]}" -type f -exec cat {} + >/dev/null # into the page cache

peer_mksquashfs() { # ROW LEVEL
	rm -f peers/mk
	timed "$1" mksquashfs "${base[@]}" peers/mk -no-progress -quiet -comp zstd -Xcompression-level "$2" -all-root -no-xattrs -keep-as-directory
}
peer_gensquashfs() { # ROW LEVEL
	rm -f peers/gen
	timed "$1" gensquashfs -q -D stage -c zstd -X level="$2" -j "$(nproc)" --all-root peers/gen
}
ours() { # ROW VARIANT [ARGUMENT]...
	local row=$1 variant=$2
	shift 2
	rm -rf out
	timed "$row" bash -c 'compile "$@"' bash "$variant" out "$@"
}

for ((round = 1; round <= rounds; round++)); do
	echo "round $round of $rounds" >&2
	rm -rf cache
	ours cold base --cache cache
	peer_mksquashfs mksquashfs3 3
	peer_gensquashfs gensquashfs3 3
	ours warm base --cache cache
	timed same bash -c 'compile "$@"' bash base out --cache cache
	cp -a cache cache.before
	ours small small --cache cache
	ours large large --cache cache
	rm -rf cache
	mv cache.before cache
	ours warm base --cache cache
done
size=$(stat -c %s out/share/microvm/stage1.squashfs)

# The reference's flags; mkfs.erofs before 1.6 takes the unknown -Efragments silently, and has no labels.
mkfs_erofs=${MKFS_EROFS:-mkfs.erofs}
peer_erofs() {
	local -a flags=(-zlz4hc -Eztailpacking)
	"$mkfs_erofs" --help 2>&1 | grep -q -- ' -L' && flags+=(-Efragments -L nix-store)
	rm -f peers/erofs
	timed mkfs-erofs "$mkfs_erofs" "${flags[@]}" -T0 --all-root peers/erofs stage
}
if [ "${EROFS:-1}" != 0 ]; then
	erofs=(--cache cache-erofs --set storeDiskType=erofs)
	rm -rf cache-erofs
	ours erofs-cold base "${erofs[@]}"
	peer_erofs
	for ((round = 1; round <= rounds; round++)); do
		ours erofs-warm base "${erofs[@]}"
	done
	size_erofs=$(stat -c %s out/share/microvm/stage1.erofs)
	size_mkfs_erofs=$(stat -c %s peers/erofs)
	ours erofs-small small "${erofs[@]}"
	rm -rf cache-erofs
fi
size_mk=$(stat -c %s peers/mk)
size_gen=$(stat -c %s peers/gen)
if [ "${LEVEL15:-1}" != 0 ]; then
	peer_mksquashfs mksquashfs15 15
	peer_gensquashfs gensquashfs15 15
	size_mk15=$(stat -c %s peers/mk)
	size_gen15=$(stat -c %s peers/gen)
fi

# A closure of 1,000 store paths in a real database.
thousand=$(nix-build "$top/tests/bench/thousand.nix" -o nix/thousand 2>nix/thousand.log) || { tail nix/thousand.log >&2; exit 1; }
for ((round = 1; round <= rounds; round++)); do
	timed plan "$mvmbuild" plan --json --set hostName=plan --set toplevel="$thousand" --set storeDir="$NIX_STORE_DIR" --set kernel="$kernel" empty.yaml
done

best() { awk -v a="$(median rows/mksquashfs3 1)" -v b="$(median rows/gensquashfs3 1)" 'BEGIN { print a < b ? a : b }'; }
peer=$(best)
row() { # TITLE ROW [BYTES]
	awk -v title="$1" -v cpu="$(median "rows/$2" 1)" -v wall="$(median "rows/$2" 2)" -v kib="$(median "rows/$2" 3)" -v bytes="${3:-}" -v peer="$peer" \
		'BEGIN { printf "| %s | %.2f | %.2f | %.3f | %.0f | %s |\n", title, cpu, wall, cpu / peer, kib / 1024, bytes ? sprintf("%.1f", bytes / 1e6) : "" }'
}
echo
printf '%s, %s CPUs, Linux %s; %d store paths, %s of files; the medians of %d rounds.\n\n' "$(date -u +%F)" "$(nproc)" "$(uname -r)" "${#base[@]}" \
	"$(find "${base[@]}" -type f -printf '%s\n' | awk '{ s += $1 } END { printf "%.0f MB", s / 1e6 }')" "$rounds"
echo '| | CPU s | wall s | CPU against the better peer at level 3 | peak MiB | image MB |'
echo '|---|---|---|---|---|---|'
row 'mvmbuild, cold cache' cold "$size"
row 'mksquashfs, level 3' mksquashfs3 "$size_mk"
row 'gensquashfs, level 3' gensquashfs3 "$size_gen"
row 'mvmbuild, warm cache' warm "$size"
row 'mvmbuild, 2 small store paths changed' small
row 'mvmbuild, 3 store paths changed, one of 44 MB' large
row 'mvmbuild, nothing changed, runner there' same
if [ "${LEVEL15:-1}" != 0 ]; then
	row 'mksquashfs, level 15 (its default)' mksquashfs15 "$size_mk15"
	row "gensquashfs, level 15 (its default, the reference's)" gensquashfs15 "$size_gen15"
fi
if [ "${EROFS:-1}" != 0 ]; then
	row 'mvmbuild, erofs (lz4hc), cold cache' erofs-cold "$size_erofs"
	row 'mvmbuild, erofs, warm cache' erofs-warm "$size_erofs"
	row 'mvmbuild, erofs, 2 small store paths changed' erofs-small
	row "mkfs.erofs of the whole closure, the reference's flags as far as it has them" mkfs-erofs "$size_mkfs_erofs"
fi
row 'mvmbuild plan, 1,000 store paths from the Nix database' plan

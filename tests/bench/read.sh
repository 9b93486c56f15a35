#!/bin/bash
# SPDX-License-Identifier: MIT
# How fast a guest reads its store disk: tests/bench/read.sh [MVMBUILD]. Images of the closure of tests/bench/closure.sh by mvmbuild and by mksquashfs and
# mkfs.erofs are disks of one guest, which reads from them in turn, with cold caches: a large file from its start, and 4 KiB at random places of
# random files. Prints a table in Markdown. The guest is emulated, and its clock counts instructions, a nanosecond each, and what it waits for disks: other
# work on this machine hardly counts. What is measured is mostly the decompressor; ratios tell more than times.
#   KVM=1   a guest that is not emulated, with a real clock
#   ROUNDS=5   the least time counts     READS=120   random reads of each round     MEGABYTES=32   of the large file
#   BENCH_DIR=build/bench   where the closure is, and where 5 GB more are needed, which do not stay
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
mvmbuild=$(realpath "${1:-$top/build/mvmbuild}")
work=${BENCH_DIR:-$top/build/bench}
mkdir -p "$work"
"$top/tests/bench/closure.sh" "$work/nix" >&2
# shellcheck source=tests/e2e/nix.sh
. "$top/tests/e2e/nix.sh"
nix_env_setup "$work/nix"
kernel=$("$top/tests/e2e/kernel.sh")
toplevel=$(readlink -f "$work/nix/base")
scratch=$(mktemp -d -p "$work")
trap 'chmod -R u+w "$scratch"; rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM HUP
PATH=$PATH:/usr/sbin:/sbin
mapfile -t base < <(nix-store -qR "$toplevel" | sort)

# ---- images ----

images=() # their names, in the order of the table; the peer's of the same kind comes after each
ours() { # NAME [ARGUMENT]...
	"$mvmbuild" -q --progress none --no-cache --set hostName=bench --set toplevel="$toplevel" --set storeDir="$NIX_STORE_DIR" --set kernel="$kernel" \
		-o "$scratch/runner" "${@:2}" "$scratch/empty.yaml" >/dev/null
	mv "$(find "$scratch/runner/share/microvm" -name 'stage1.*')" "$scratch/$1"
	rm -rf "$scratch/runner"
	images+=("$1" "$1-whole")
}
squashfs() { # NAME BLOCK
	ours "$1" --set storeDisk.blockSize="$2"
	mksquashfs "${base[@]}" "$scratch/$1-whole" -no-progress -quiet -comp zstd -Xcompression-level 3 -b "$2" -all-root -no-xattrs -keep-as-directory >/dev/null
}
erofs() { # NAME COMPRESSION [ARGUMENT of mkfs.erofs]...
	ours "$1" --set storeDiskType=erofs --set storeDisk.compression="$2" --set storeDisk.blockSize="${3:-4096}"
	mkfs.erofs "-z$2" ${3:+"-C$3"} -Eztailpacking -T0 --all-root "$scratch/$1-whole" "$scratch/stage" >/dev/null 2>&1
}
echo '{}' >"$scratch/empty.yaml"
echo "read: making images" >&2
squashfs squashfs-128K 131072
squashfs squashfs-1M 1048576
mkdir "$scratch/stage"
cp -a "${base[@]}" "$scratch/stage"
erofs erofs-lz4 lz4
erofs erofs-lz4-64K lz4 65536
erofs erofs-lz4hc lz4hc
chmod -R u+w "$scratch/stage"
rm -rf "$scratch/stage"

# ---- the guest ----

modules=()
# add_module NAME: after those that it needs; what is not there as a file is in the kernel.
add_module() {
	local file depends
	file=$(find "$kernel/lib/modules" -name "$1.ko*" -print -quit)
	[ -n "$file" ] && [[ " ${modules[*]} " != *" $file "* ]] || return 0
	IFS=, read -ra depends < <(modinfo -F depends "$file")
	for name in "${depends[@]}"; do add_module "$name"; done
	modules+=("$file")
}
for name in virtio_pci virtio_blk squashfs crc32c_generic erofs; do add_module "$name"; done

root=$scratch/root
mkdir -p "$root/modules"
musl-gcc -O2 -static -s -o "$root/init" "$top/tests/bench/read_guest.c"
for ((i = 0; i < ${#modules[@]}; i++)); do cp "${modules[i]}" "$(printf '%s/modules/%02d-%s' "$root" "$i" "${modules[i]##*/}")"; done
# The same places for everybody: files by their sizes, places by chance, both from a fixed seed.
find "${base[@]}" -type f -size +7 -printf '%s %p\n' | LC_ALL=C sort -k 2 | awk -v reads="${READS:-120}" -v store="$NIX_STORE_DIR/" -v most="${MEGABYTES:-32}" '
	{ size[NR] = $1; total += $1; sub(/^[0-9]+ /, ""); name[NR] = substr($0, length(store) + 1) }
	size[NR] > size[large] { large = NR }
	END {
		printf "%.0f %s\n", most * 1000000, name[large]
		srand(1)
		for (n = 0; n < reads; n++) {
			place = rand() * total
			for (i = 1; place >= size[i]; i++) place -= size[i]
			printf "%.0f %s\n", int(place / 4096) * 4096, name[i]
		}
	}' >"$root/list"
(cd "$root" && find . | LC_ALL=C sort | bsdtar -cf "$scratch/initrd" --format newc --no-recursion -T -)

arguments=(-nodefaults -no-user-config -display none -serial stdio -no-reboot -m 1024 -smp 1
	-kernel "$(echo "$kernel"/boot/vmlinuz-*)" -initrd "$scratch/initrd" -append "console=ttyS0 quiet panic=-1 rdinit=/init -- ${ROUNDS:-5}")
if [ -n "${KVM:-}" ]; then
	accelerator=kvm
	arguments+=(-cpu host)
else
	accelerator=tcg
	arguments+=(-cpu max -icount shift=0)
fi
for ((i = 0; i < ${#images[@]}; i++)); do
	arguments+=(-drive "file=$scratch/${images[i]},format=raw,if=none,readonly=on,id=disk$i" -device "virtio-blk-pci,drive=disk$i,serial=$i")
done
echo "read: the guest reads ($accelerator)" >&2
timeout "${LIMIT:-3000}" qemu-system-x86_64 -accel "$accelerator" "${arguments[@]}" </dev/null | tr -d '\r' >"$scratch/console"
grep '^read ' "$scratch/console" >"$scratch/results" || { tail "$scratch/console" >&2; exit 1; }
[ "$(cut -d ' ' -f 6 "$scratch/results" | sort -u | wc -l)" = 1 ] || { echo "read: the images do not hold the same" >&2; cat "$scratch/results" >&2; exit 1; }

# ---- the table ----

printf '%s, %s. Linux %s in the guest, %s; the least of %s rounds.\n\n' "$(date -u +%F)" "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" \
	"$(basename "$kernel"/lib/modules/*)" "$accelerator" "${ROUNDS:-5}"
echo '| image | MB | large file, MB/s | its time against the peer | random 4 KiB, ms | against the peer | against squashfs 128K |'
echo '|---|---|---|---|---|---|---|'
for ((i = 0; i < ${#images[@]}; i++)); do echo "$i ${images[i]} $(stat -c %s "$scratch/${images[i]}")"; done >"$scratch/names"
awk -v reads="${READS:-120}" -v most="${MEGABYTES:-32}" '
	function least(kind, image,   round, v) {
		v = took[kind, 1, image]
		for (round = 2; round <= rounds; round++) if (took[kind, round, image] < v) v = took[kind, round, image]
		return v
	}
	function ratio(kind, a, b) { return least(kind, a) / least(kind, b) }
	NR == FNR { name[$1] = $2; bytes[$1] = $3; n = $1 + 1; next }
	{ took["s", $2, $3] = $4; took["r", $2, $3] = $5; rounds = $2 }
	END {
		for (i = 0; i < n; i++) {
			whole = i % 2 ? i : i + 1
			printf "| %s | %.1f | %.1f | %s | %.2f | %s | %.2f |\n", i % 2 ? (name[i] ~ /^squashfs/ ? "mksquashfs, the same" : "mkfs.erofs, the same") : "mvmbuild, " name[i],
				bytes[i] / 1e6, most * 1e9 / least("s", i), i % 2 ? "" : sprintf("%.2f", ratio("s", i, whole)),
				least("r", i) / reads / 1e6, i % 2 ? "" : sprintf("%.2f", ratio("r", i, whole)), ratio("r", i, 0)
		}
	}' "$scratch/names" "$scratch/results"

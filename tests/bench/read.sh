#!/bin/bash
# SPDX-License-Identifier: MIT
# Measures how fast a guest reads its store disk: tests/bench/read.sh [MVMBUILD]. Prints a table in
# Markdown. The disks of one guest are images of tests/bench/closure.sh's closure that mvmbuild,
# mksquashfs and mkfs.erofs made, at several levels and with dm-verity. With cold caches, the guest
# reads from each in turn: a large file from its start, and 4 KiB at random places of random files.
#
# The guest is emulated. Its clock counts instructions, one nanosecond each, and it waits for disks
# in a loop (idle=poll), so other work on this machine hardly matters. The result is mostly the time
# of the decompressor; ratios mean more than times. For dm-verity it is SHA-256 without the
# processor's instructions for it, which QEMU 7.2 does not emulate: compare the bytes read instead.
#   KVM=1                   uses a guest that is not emulated, with a real clock
#   ROUNDS=3                rounds; the shortest time counts
#   READS=120               random reads in each round
#   MEGABYTES=32            size of the part of the large file that is read
#   LEVELS="9 15 19"        zstd's levels, beside its default; 19 takes minutes
#   BENCH_DIR=build/bench   the closure's directory; needs 8 GB more while the benchmark runs
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
mvmbuild=$(realpath "${1:-$top/build/mvmbuild}")
work=${BENCH_DIR:-$top/build/bench}
mkdir -p "$work"
"$top/tests/bench/closure.sh" "$work/nix" >&2
# shellcheck source=tests/e2e/lib/nix.sh
. "$top/tests/e2e/lib/nix.sh"
nix_env_setup "$work/nix"
kernel=$("$top/tests/e2e/lib/kernel.sh")
toplevel=$(readlink -f "$work/nix/base")
scratch=$(mktemp -d -p "$work")
trap 'chmod -R u+w "$scratch"; rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM HUP
PATH=$PATH:/usr/sbin:/sbin
mapfile -t base < <(nix-store -qR "$toplevel" | sort)

# ---- images ----

# The rows in the table's order: the image's file, its label, the number of the image that it is
# compared with (or nothing), and the CPU time of making it.
images=() labels=() beside=() cpu=()
made() { # NAME LABEL BESIDE COMMAND...: measures the command's CPU time
	local TIMEFORMAT='%U %S' status=0
	images+=("$1") labels+=("$2") beside+=("$3")
	{ time "${@:4}" >"$scratch/log" 2>&1 || status=$?; } 2>"$scratch/time"
	[ "$status" = 0 ] || { cat "$scratch/log" >&2; exit 1; }
	cpu+=("$(awk '{ printf "%.1f", $1 + $2 }' "$scratch/time")")
}
ours() { # NAME LABEL BESIDE [ARGUMENT]...
	made "$1" "mvmbuild, $2" "$3" "$mvmbuild" -q --progress none --no-cache \
		--set hostName=bench --set toplevel="$toplevel" --set storeDir="$NIX_STORE_DIR" \
		--set kernel="$kernel" -o "$scratch/runner" "${@:4}" "$scratch/empty.yaml"
	mv "$(find "$scratch/runner/share/microvm" -name 'stage1.*')" "$scratch/$1"
	mv "$scratch/runner/share/microvm/manifest.json" "$scratch/$1.json"
	rm -rf "$scratch/runner"
}
# Each makes mvmbuild's image and then the peer's image of the same kind.
squashfs() { # NAME BLOCK
	ours "$1" "${1//-/, }" $((${#images[@]} + 1)) --set storeDisk.blockSize="$2"
	made "$1-whole" 'mksquashfs, the same' '' mksquashfs "${base[@]}" "$scratch/$1-whole" \
		-no-progress -quiet -comp zstd -Xcompression-level 3 -b "$2" -all-root \
		-no-xattrs -keep-as-directory
}
erofs() { # NAME COMPRESSION [ARGUMENT of mkfs.erofs]...
	ours "$1" "${1//-/, }" $((${#images[@]} + 1)) --set storeDiskType=erofs \
		--set storeDisk.compression="$2" --set storeDisk.blockSize="${3:-4096}"
	made "$1-whole" 'mkfs.erofs, the same' '' mkfs.erofs "-z$2" ${3:+"-C$3"} -Eztailpacking \
		-T0 --all-root "$scratch/$1-whole" "$scratch/stage"
}
echo '{}' >"$scratch/empty.yaml"
echo "read: making images" >&2
squashfs squashfs-128K 131072
for level in ${LEVELS-9 15 19}; do
	ours "squashfs-$level" "squashfs, 128K, level $level" 0 --set storeDisk.level="$level"
done
ours squashfs-verity 'squashfs, 128K, verity' 0 --set storeDisk.verity=true
squashfs squashfs-1M 1048576
mkdir "$scratch/stage"
cp -a "${base[@]}" "$scratch/stage"
erofs erofs-lz4 lz4
erofs erofs-lz4-64K lz4 65536
plain=${#images[@]}
erofs erofs-lz4hc lz4hc
for level in 3 12; do
	ours "erofs-$level" "erofs, lz4hc, level $level" "$plain" --set storeDiskType=erofs \
		--set storeDisk.level="$level"
done
ours erofs-verity 'erofs, lz4hc, verity' "$plain" --set storeDiskType=erofs \
	--set storeDisk.verity=true
chmod -R u+w "$scratch/stage"
rm -rf "$scratch/stage"

# ---- the guest ----

modules=()
# add_module NAME: adds the module after those that it needs. A module without a file is built into
# the kernel.
add_module() {
	local file depends
	file=$(find "$kernel/lib/modules" -name "$1.ko*" -print -quit)
	[ -n "$file" ] && [[ " ${modules[*]} " != *" $file "* ]] || return 0
	IFS=, read -ra depends < <(modinfo -F depends "$file")
	for name in "${depends[@]}"; do add_module "$name"; done
	modules+=("$file")
}
for name in virtio_pci virtio_blk squashfs crc32c_generic erofs sha256-ssse3 dm-verity; do
	add_module "$name"
done

root=$scratch/root
mkdir -p "$root/modules" "$root/verity"
musl-gcc -D_GNU_SOURCE -I"$top" -O2 -static -s -o "$root/init" "$top/tests/bench/read_guest.c" \
	"$top/imaging/guest/init/mapper.c"
for ((i = 0; i < ${#modules[@]}; i++)); do cp "${modules[i]}" \
	"$(printf '%s/modules/%02d-%s' "$root" "$i" "${modules[i]##*/}")"; done
for ((i = 0; i < ${#images[@]}; i++)); do
	[[ ${images[i]} != *-verity ]] ||
		jq -r '.storeDisk.verity | (.hashOffset / 4096) as $blocks | "\($blocks * 8) 4096 4096 \($blocks) \($blocks + 1) sha256 \(.rootHash) \(.salt)"' \
		"$scratch/${images[i]}.json" >"$root/verity/$i"
done
# All images are read at the same places: files are chosen by size and places at random, with a
# fixed seed.
find "${base[@]}" -type f -size +7 -printf '%s %p\n' | LC_ALL=C sort -k 2 |
	awk -v reads="${READS:-120}" -v store="$NIX_STORE_DIR/" -v most="${MEGABYTES:-32}" '
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
(cd "$root" && find . | LC_ALL=C sort |
	bsdtar -cf "$scratch/initrd" --format newc --no-recursion -T -)

arguments=(-nodefaults -no-user-config -display none -serial stdio -no-reboot -m 1024 -smp 1
	-kernel "$(echo "$kernel"/boot/vmlinuz-*)" -initrd "$scratch/initrd")
parameters='console=ttyS0 quiet panic=-1 rdinit=/init'
if [ -n "${KVM:-}" ]; then
	accelerator=kvm
	arguments+=(-cpu host)
else
	accelerator=tcg
	arguments+=(-cpu max -icount shift=0)
	parameters+=' idle=poll'
fi
for ((i = 0; i < ${#images[@]}; i++)); do
	arguments+=(-drive "file=$scratch/${images[i]},format=raw,if=none,readonly=on,id=disk$i" \
		-device "virtio-blk-pci,drive=disk$i,serial=$i")
done
echo "read: the guest reads ($accelerator)" >&2
timeout "${LIMIT:-3000}" qemu-system-x86_64 -accel "$accelerator" "${arguments[@]}" -append \
	"$parameters -- ${ROUNDS:-3}" </dev/null | tr -d '\r' >"$scratch/console"
grep '^read ' "$scratch/console" >"$scratch/results" || { tail "$scratch/console" >&2; exit 1; }
[ "$(cut -d ' ' -f 8 "$scratch/results" | sort -u | wc -l)" = 1 ] ||
	{ echo "read: the images do not hold the same" >&2; cat "$scratch/results" >&2; exit 1; }

# ---- the table ----

printf '%s, %s. Linux %s in the guest, %s; the least of %s rounds.\n\n' "$(date -u +%F)" \
	"$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" \
	"$(basename "$kernel"/lib/modules/*)" "$accelerator" "${ROUNDS:-3}"
echo '| image | MB | CPU s to make it | large file, MB/s | MB from the disk for it | random 4 KiB, ms | KiB from the disk for it | beside | large file: its time | random: its time |'
echo '|---|---|---|---|---|---|---|---|---|---|'
for ((i = 0; i < ${#images[@]}; i++)); do
	echo "${labels[i]};$(stat -c %s "$scratch/${images[i]}");${cpu[i]};${beside[i]}"
done >"$scratch/names"
awk -v reads="${READS:-120}" -v most="${MEGABYTES:-32}" '
	function keep(kind, image, v) { if (!((kind, image) in least) || v < least[kind, image]) least[kind, image] = v }
	function ratio(kind, a, b) { return least[kind, a] / least[kind, b] }
	NR == FNR { split($0, word, ";"); n = FNR; for (i in word) about[n - 1, i] = word[i]; next }
	{ for (i = 4; i <= 7; i++) keep(i, $3, $i) } # ns, ns, sectors, sectors; of the large file and the random places
	END {
		for (i = 0; i < n; i++) {
			printf "| %s | %.1f | %s | %.1f | %.1f | %.2f | %.0f |", about[i, 1], about[i, 2] / 1e6, about[i, 3], most * 1e9 / least[4, i], least[6, i] * 512 / 1e6,
				least[5, i] / reads / 1e6, least[7, i] / 2 / reads
			other = about[i, 4]
			if (other == "") print " | | |"
			else printf " %s | %.2f | %.2f |\n", about[other, 1], ratio(4, i, other), ratio(5, i, other)
		}
	}' "$scratch/names" "$scratch/results"

#!/bin/bash
# SPDX-License-Identifier: MIT
# Times mvmbuild and its peers in turn, in one run: tests/bench/run.sh [MVMBUILD]. Prints tables in
# Markdown, which docs/performance.md holds. The last table compares the results with the project's
# own bars; a missed bar is not a failure.
#
# Whole processes are timed; CPU is user and system time. For mvmbuild that is the whole build with
# stage 1, syncing and publishing; for the peers it is the image alone.
#   BENCH="squashfs level15 erofs hole plain reflink link verity scaling host density"
#                             parts; a later one may use an earlier one's results
#   ROUNDS=3                  runs of each command; the median is printed
#   MKFS_EROFS=mkfs.erofs     the peer's program; reference flags that it lacks are left out
#   FILESYSTEMS="xfs btrfs"   file systems for reflink and plain
#   COUNTS="10 100 1000 10000"  store paths for scaling
#   HOSTS=200                 VMs of the largest host
#   DOCUMENT=docs/performance.md  also replaces the tables in this file
#   BENCH_DIR=build/bench     the directory of the closure (2 GB, which stays); needs 8 GB more while
#                             the benchmark runs
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
mvmbuild=$(realpath "${1:-$top/build/mvmbuild}")
work=${BENCH_DIR:-$top/build/bench}
rounds=${ROUNDS:-3}
parts=${BENCH:-squashfs level15 erofs hole plain reflink link verity scaling host density}
# shellcheck source=tests/e2e/lib/nix.sh
. "$top/tests/e2e/lib/nix.sh"
# shellcheck source=tests/e2e/lib/vmlinux.sh
. "$top/tests/e2e/lib/vmlinux.sh"
for part in lib squashfs erofs plain link verity scaling host density; do
	# shellcheck source=/dev/null
	. "$top/tests/bench/$part.sh"
done
for part in $parts; do
	declare -F "bench_$part" >/dev/null || {
		echo "bench: there is no part $part" >&2
		exit 2
	}
done

mkdir -p "$work"
"$top/tests/bench/closure.sh" "$work/nix" >&2
nix_env_setup "$work/nix"
kernel=$("$top/tests/e2e/lib/kernel.sh")
scratch=$(mktemp -d -p "$work")
finish() {
	density_stop
	unmount_store
	unmount_loop
	chmod -R u+w "$scratch"
	rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP
mkdir "$scratch/rows"
echo '{}' >"$scratch/empty.yaml"
: >"$scratch/bars"
export mvmbuild scratch NIX_STORE_DIR kernel

mapfile -t base < <(paths base)
find "${base[@]}" -type f -exec cat {} + >/dev/null # reads them into the page cache

version() { dpkg-query -W -f '${Version}' "$1" 2>/dev/null || echo '?'; } # PACKAGE
report() {
	{
	printf '%s. %s CPUs, %s, %.0f GB of memory, Linux %s; load %s before the run. squashfs-tools %s, squashfs-tools-ng %s, erofs-utils %s, libzstd %s.\n' \
		"$(date -u +%F)" "$(nproc)" \
			"$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" \
		"$(awk '/^MemTotal/ { print $2 / 1e6 }' /proc/meminfo)" "$(uname -r)" \
			"$(cut -d ' ' -f 1 /proc/loadavg)" \
		"$(version squashfs-tools)" "$(version squashfs-tools-ng)" \
			"$(version erofs-utils)" "$(version libzstd1)"
	printf '%d store paths, %s of files; the medians of %d rounds, ratios those of what ran in one round.\n' "${#base[@]}" \
		"$(find "${base[@]}" -type f -printf '%s\n' |
			awk '{ s += $1 } END { printf "%.0f MB", s / 1e6 }')" "$rounds"
	} | fmt -w 100

	for part in $parts; do "bench_$part"; done

	peak=$(cat "$scratch"/rows/{cold,warm*,same,small,large,lz4*-cold,lz4*-warm,*-warm,tiny-*,host-*} 2>/dev/null | cut -d ' ' -f 3 | sort -n | tail -n 1 || true)
	[ -z "$peak" ] || bar 'the most memory of any row of mvmbuild, MiB' \
		"$(awk -v kib="$peak" 'BEGIN { print kib / 1024 }')" '<' 200
	printf '\n| bar | wanted | measured | |\n|---|---|---|---|\n'
	cat "$scratch/bars"
}

report | tee "$scratch/report"
[ -z "${DOCUMENT:-}" ] || {
	awk -v report="$scratch/report" '
		/^<!-- end of make bench -->$/ { inside = 0 }
		!inside
		/^<!-- make bench -->$/ { inside = 1; while ((getline line <report) > 0) print line }' "$DOCUMENT" >"$scratch/document"
	cp "$scratch/document" "$DOCUMENT"
}

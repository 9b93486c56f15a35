#!/bin/bash
# SPDX-License-Identifier: MIT
# mvmbuild host for 1, 10 and 100 VMs of one closure (tests/bench/closure.sh), with their own names and addresses: tests/bench/host.sh [MVMBUILD].
# Prints a table in Markdown. Whole processes: CPU is user and system time.
#   COUNTS="1 10 100"   other numbers
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
mvmbuild=$(realpath "${1:-$top/build/mvmbuild}")
work=${BENCH:-$top/build/bench}
"$top/tests/bench/closure.sh" "$work/nix" >&2
# shellcheck source=tests/e2e/nix.sh
. "$top/tests/e2e/nix.sh"
nix_env_setup "$work/nix"
kernel=$("$top/tests/e2e/kernel.sh")
scratch=$(mktemp -d -p "$work")
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

describe() { # COUNT
	local i
	echo 'vms:'
	for ((i = 1; i <= $1; i++)); do
		echo "  vm$i: {config: {toplevel: $(readlink -f "$work/nix/base"), storeDir: $NIX_STORE_DIR, kernel: $kernel, interfaces: [{type: tap, id: vm$i}]}}"
	done
}

timed() { # COMMAND...: CPU, wall time, peak memory
	command time -f '%U %S %e %M' "$@" 2>&1 >/dev/null | tail -n 1 | awk '{ printf "%.2f | %.2f | %d", $1 + $2, $3, $4 / 1024 }'
}

echo '| VMs | cache | CPU s | wall s | peak MiB | disk MB |'
echo '|---|---|---|---|---|---|'
for count in ${COUNTS:-1 10 100}; do
	describe "$count" >host.yaml
	rm -rf cache out
	for cache in cold warm; do
		rm -rf out
		echo "| $count | $cache | $(timed "$mvmbuild" -q host host.yaml --cache cache -o out) | $(du -sm --apparent-size out | cut -f 1) |"
	done
	echo "| $count | nothing changed | $(timed "$mvmbuild" -q host host.yaml --cache cache -o out) | |"
done

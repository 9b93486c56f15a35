#!/bin/bash
# SPDX-License-Identifier: MIT
# Measures how fast a guest's tap is with vhost-net and without: tests/bench/vhost.sh [MVMBUILD].
# Prints rows in Markdown for docs/performance.md. It runs in the lab of tests/e2e/lib/lab.sh, which
# always has vhost-net: one guest under KVM has a tap of each kind, and TCP goes each way over each,
# in turn.
#   ROUNDS=5   rounds; medians of the speeds and of the ratio are printed
#   MIB=8      data sent in each round
#   CPUS=1     the lab's processors
#   COUNT=1    the lab's clock counts instructions: ratios do not depend on this machine's load, and
#              speeds mean nothing
set -euo pipefail
rounds=${ROUNDS:-5} mib=${MIB:-8}
MVMBUILD=$(realpath "${1:-$(dirname "$0")/../../build/mvmbuild}")
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../e2e/lib/lib.sh"
# shellcheck source=tests/e2e/lib/nix.sh
. "$top/tests/e2e/lib/nix.sh"
# shellcheck source=tests/e2e/lib/lab.sh
. "$top/tests/e2e/lib/lab.sh"
kernel=$("$top/tests/e2e/lib/kernel.sh")
nix_env_setup "$test_dir/nix"
guest=$(nix_build "$top/tests/bench/vhost.nix" toplevel)
mkdir "$test_dir/runners"
"$MVMBUILD" -q - --set toplevel="$guest" --set storeDir="$NIX_STORE_DIR" --set kernel="$kernel" \
	-o "$test_dir/runners/taps" <<E2 >/dev/null
hostName: taps
hypervisor: qemu
mem: 256
interfaces:
- {type: tap, id: tap0, mac: "02:00:00:00:00:01", tap: {vhost: true}}
- {type: tap, id: tap1, mac: "02:00:00:00:00:02"}
kernelParams: [quiet, bench.bytes=$((mib << 20))]
E2
cat >"$test_dir/script" <<E2
rounds=$rounds bytes=$((mib << 20))
E2
cat >>"$test_dir/script" <<'E2'
mapfile -t flags <"$runners/taps/share/microvm/tap-flags"
for tap in 0 1; do ip tuntap add name tap$tap mode tap "${flags[@]}"; done
ip address add 192.0.2.1/24 dev tap0
ip address add 198.51.100.1/24 dev tap1
ip link set tap0 up
ip link set tap1 up
timeout 600 "$runners/taps/bin/microvm-run" &
until exec 3<>/dev/tcp/192.0.2.2/1001; do sleep 1; done 2>/dev/null
cat <&3 >/dev/null
declare -A address=([vhost]=192.0.2.2 [plain]=198.51.100.2) port=([to]=1000 [from]=1001)
timed() { # WAY KIND
	local before=$EPOCHREALTIME
	exec 3<>"/dev/tcp/${address[$2]}/${port[$1]}"
	case $1 in
	to) head -c "$bytes" /dev/zero >&3 && read -r _ <&3 ;;
	from) cat <&3 >/dev/null ;;
	esac
	exec 3>&-
	echo "lab: took $1 $2 $((${EPOCHREALTIME/./} - ${before/./}))"
}
for ((round = 0; round < rounds; round++)); do
	for way in to from; do
		for kind in plain vhost; do timed $way $kind; done
	done
done
exec 3<>/dev/tcp/192.0.2.2/1002
wait
E2
lab_stage "$test_dir/files"
stage_programs "$test_dir/files" head
lab_build "$test_dir" "$test_dir/runners" "$test_dir/script" --set vcpu="${CPUS:-1}" \
	${COUNT:+--set "qemu.extraArgs=[-icount, 'shift=1,sleep=off']"}
lab_run 900 "$test_dir/console" "$test_dir" || { tail -n 30 "$test_dir/console" >&2; exit 1; }

# median WAY [KIND]: the median of the microseconds; without KIND, of the rounds' ratios.
values() { sed -n "s/^lab: took $1 $2 //p" "$test_dir/console"; }
median() { sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
echo "| | tap, MiB/s | with vhost, MiB/s | ratio |"
echo "|---|---|---|---|"
for way in to from; do
	awk -v way="$way" -v mib="$mib" \
		-v plain="$(values $way plain | median)" -v vhost="$(values $way vhost | median)" \
		-v ratio="$(paste <(values $way plain) <(values $way vhost) |
			awk '{ print $1 / $2 }' | median)" \
		'BEGIN { printf "| %s the guest | %.1f | %.1f | %.2f |\n", way, mib * 1e6 / plain, mib * 1e6 / vhost, ratio }'
done

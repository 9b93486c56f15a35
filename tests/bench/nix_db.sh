#!/bin/bash
# SPDX-License-Identifier: MIT
# Measures the time from the start of the guest's kernel until `nix-store -qR` works, with the
# prebuilt database and with `nix-store --load-db` in the guest: tests/bench/nix_db.sh [MVMBUILD].
# Prints a table in Markdown. The guests are emulated, so ratios mean more than times.
#   ROUNDS=3            runs of each; the median is printed
#   COUNTS="100 2000"   sizes of the closures, in store paths
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
mvmbuild=$(realpath "${1:-$top/build/mvmbuild}")
work=$top/build/bench/nix-db
rounds=${ROUNDS:-3}
mkdir -p "$work/state"
# shellcheck source=tests/e2e/lib/nix.sh
. "$top/tests/e2e/lib/nix.sh"
nix_env_setup "$work/nix"
kernel=$("$top/tests/e2e/lib/kernel.sh")
rm -rf "$work/nix-files"
nix_stage_nix "$work/nix-files"
guest=$(nix_build "$top/tests/e2e/lib/nix/guest-with-nix.nix" toplevel --argstr nixFiles \
	"$work/nix-files")
cd "$work/state"

seconds() { # STEP CONSOLE: the uptime that was printed after the step
	sed 's/\r*$//' "$2" |
		awk -v step="END $1 0" \
		'$0 == step { seen = 1 } seen && found { print; exit } seen && $0 == "BEGIN uptime" { found = 1 }'
}
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

echo '| store paths | prebuilt, s | load-db, s | of that, load-db itself, s |'
echo '|---|---|---|---|'
for count in ${COUNTS:-100 2000}; do
	paths=$(nix-build "$top/tests/bench/thousand.nix" --arg count "$count" \
		-o "$work/nix/paths-$count" 2>"$work/log") || { tail "$work/log" >&2; exit 1; }
	: >"$work/prebuilt"; : >"$work/registration"; : >"$work/load"
	for mode in prebuilt registration; do
		printf 'storePaths: [%s]\nnixDatabase: %s\nmem: 1024\nkernelModules: %s\n' \
			"$paths" "$mode" "$kernel" >"$work/vm.yaml"
		rm -rf "$work/$mode-runner"
		"$mvmbuild" -q --progress none --set hostName=vm --set toplevel="$guest" \
			--set storeDir="$NIX_STORE_DIR" --set kernel="$kernel" \
			--cache "$work/cache" -o "$work/$mode-runner" "$work/vm.yaml" >/dev/null
	done
	for ((round = 1; round <= rounds; round++)); do
		for mode in prebuilt registration; do
			steps=query,uptime
			if [ "$mode" = registration ]; then
				steps=mounts,uptime,load-db,uptime,query,uptime
			fi
			MICROVM_KERNEL_PARAMS="quiet mvm.test=$steps mvm.needs=$paths" \
				timeout 300 "$work/$mode-runner/bin/microvm-run" </dev/null \
					>"$work/console" 2>&1
			seconds query "$work/console" >>"$work/$mode"
			if [ "$mode" = registration ]; then
				echo "$(seconds load-db "$work/console")" \
					"$(seconds mounts "$work/console")" |
					awk '{ print $1 - $2 }' >>"$work/load"
			fi
		done
	done
	printf '| %s | %s | %s | %s |\n' "$count" "$(median <"$work/prebuilt")" \
		"$(median <"$work/registration")" "$(median <"$work/load")"
done

# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # run.sh sets what all parts use
# Part of tests/bench/run.sh: scaling. The closures have tiny store paths, in a real database.

# per_path ROW ROW COUNT: microseconds of CPU for each path that the second row has more.
per_path() {
	awk -v few="$(value "$1" cpu)" -v many="$(value "$2" cpu)" -v n="$3" \
		'BEGIN { printf "%.0f", (many - few) / n * 1e6 }'
}

scaling_of() { # COUNT
	local count=$1 round
	nix-build "$top/tests/bench/thousand.nix" --arg count "$count" -o "$work/nix/tiny-$count" \
		>"$scratch/log" 2>&1 || {
		tail "$scratch/log" >&2
		exit 1
	}
	for ((round = 1; round <= rounds; round++)); do
		rm -rf "$scratch/cache-tiny"
		ours "tiny-$count-cold" "tiny-$count" --cache "$scratch/cache-tiny"
		ours "tiny-$count-warm" "tiny-$count" --cache "$scratch/cache-tiny"
	done
	rm -rf "$scratch/cache-tiny"
}

bench_scaling() {
	local count kind few=
	table 'closures of tiny store paths' 'CPU µs for each path more than in the smallest'
	for count in ${COUNTS:-10 100 1000 10000}; do
		echo "scaling: $count store paths" >&2
		scaling_of "$count"
		few=${few:-$count}
		for kind in cold warm; do
			row "mvmbuild, $count paths, $kind" "tiny-$count-$kind" \
				"$([ "$count" = "$few" ] ||
					per_path "tiny-$few-$kind" "tiny-$count-$kind" \
					$((count - few)))"
		done
	done
	ran tiny-10000-warm || return 0
	bar '10,000 tiny store paths, warm: seconds' "$(value tiny-10000-warm wall)" '<' 1
	ran tiny-1000-warm || return 0
	for kind in cold warm; do
		bar "CPU for each of 10,000 paths against each of 1,000, $kind" \
			"$(awk -v many="$(per_path "tiny-$few-$kind" "tiny-10000-$kind" 1)" \
				-v some="$(per_path "tiny-$few-$kind" "tiny-1000-$kind" 1)" \
				-v n=$((10000 - few)) -v m=$((1000 - few)) \
					'BEGIN { print (many / n) / (some / m + 0.0001) }')" '<=' \
					1.5
	done
}

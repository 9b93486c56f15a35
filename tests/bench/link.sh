# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # run.sh sets what all parts use
# Part of tests/bench/run.sh: link, how long nix-build takes in its sandbox for a runner whose store
# disk the host links, when one small path of 1 GB has changed. The test of such runners measures
# it.

bench_link() {
	local round ms all=()
	for ((round = 1; round <= rounds; round++)); do
		ms=$(MVMBUILD=$mvmbuild MVM_LINKED_MIB=1000 \
			bash "$top/tests/e2e/nix/link_host_nix_test.sh" 2>&1 |
			sed -n 's/^# a changed file: \([0-9]*\) ms.*/\1/p')
		all+=("${ms:?the test of linked runners failed}")
	done
	ms=$(printf '%s\n' "${all[@]}" | sort -n | sed -n "$(((rounds + 1) / 2))p")
	bar 'link: host: nix-build after a change to a closure of 1 GB, seconds' \
		"$(awk -v ms="$ms" 'BEGIN { print ms / 1000 }')" '<=' 1
}

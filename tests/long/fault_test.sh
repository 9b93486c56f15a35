#!/bin/bash
# SPDX-License-Identifier: MIT
# Lets every call of a build fail once (at most 150 calls of each function), with a warm cache and
# with a cold one. Takes about an hour.
# FAULT_FUNCTIONS="a b" tests only these functions, FAULT_MOST=N at most N calls of each.
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../e2e/lib/lib.sh"
# shellcheck source=tests/e2e/lib/nix.sh
. "$(dirname "$0")/../e2e/lib/nix.sh"
# shellcheck source=tests/e2e/lib/faults.sh
. "$(dirname "$0")/../e2e/lib/faults.sh"
MVMBUILD=$(realpath "${MVMBUILD:-$top/build/mvmbuild}")
need_programs nix-build busybox cc
kernel=$("$top/tests/e2e/lib/kernel.sh") || skip_all "no kernel"
nix_env_setup "$test_dir/nix"
unset XDG_CACHE_HOME SOURCE_DATE_EPOCH NIX_BUILD_CORES NIX_BUILD_TOP NIX_ATTRS_JSON_FILE
for mode in ${FAULT_MODES:-warm cold}; do
	faults_begin "$kernel" "$mode"
	for function in ${FAULT_FUNCTIONS:-$(printf '%s\n' "${!fault_errors[@]}" |
		LC_ALL=C sort)}; do
		before=$fault_problems tries=$fault_tries
		faults_sweep "${FAULT_MOST:-150}" "$function"
		[ "$fault_tries" != "$tries" ] || continue
		if [ "$fault_problems" = "$before" ]; then
			ok "$mode: $function fails ($((fault_tries - tries)) tries)"
		else
			not_ok "$mode: $function fails ($((fault_problems - before)) problems in $((fault_tries - tries)) tries)"
		fi
	done
done
finish

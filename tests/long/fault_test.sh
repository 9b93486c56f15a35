#!/bin/bash
# SPDX-License-Identifier: MIT
# Lets every call of a build fail once (at most 150 calls of each function), with a warm cache and
# with a cold one. Takes about an hour.
# FAULT_FUNCTIONS="a b" tests only these functions, FAULT_MOST=N at most N calls of each.
set -u
# shellcheck source=tests/e2e/lib/faults.sh
. "$(dirname "$0")/../e2e/lib/faults.sh"
faults_setup
for mode in ${FAULT_MODES:-warm cold}; do
	faults_begin "$mode"
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

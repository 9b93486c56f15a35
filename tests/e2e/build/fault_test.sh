#!/bin/bash
# SPDX-License-Identifier: MIT
# Lets a system call or a C function fail, or sets a limit: the build must print a message, end with
# the right status and keep the old runner. tests/long/fault_test.sh tries every call.
# shellcheck disable=SC2317 # functions that check calls
set -u
# shellcheck source=tests/e2e/lib/faults.sh
. "$(dirname "$0")/../lib/faults.sh"
faults_setup
faults_begin warm
fault_quick=1

# sweep DESCRIPTION MOST FUNCTION...
sweep() {
	local before=$fault_problems tries=$fault_tries description=$1
	shift
	faults_sweep "$@"
	if [ "$fault_problems" = "$before" ]; then
		ok "$description ($((fault_tries - tries)) tries)"
	else
		not_ok "$description ($((fault_problems - before)) of $((fault_tries - tries)))"
	fi
}
sweep "calls that allocate memory fail" 8 malloc calloc realloc
sweep "calls that open and read files fail" 4 open openat read pread readdir
sweep "calls that look at files fail" 3 stat lstat fstat fstatat access
sweep "calls that write files fail" 3 pwrite fsync renameat2 ftruncate fchmod mkdir
sweep "threads cannot be created" 9 pthread_create

# ---- limits ----

# limited LIMIT...: builds over the old runner under `ulimit LIMIT...`.
limited() {
	fault_restore
	status=0
	(ulimit "$@" && exec "$MVMBUILD" --progress none "$faults/vm.yaml" --set mem=301 \
		--cache "$faults/work/cache" -o "$faults/work/out") \
		>/dev/null 2>"$faults/log" </dev/null || status=$?
}
# ended STATUS REGEX: the build ended with this status and one message, which matches; only the old
# runner is there.
ended() {
	cat "$faults/log"
	echo "status $status, litter: $(fault_litter)"
	[ "$status" = "$1" ] && [ "$(grep -c 'error: ' "$faults/log")" = 1 ] &&
		grep -Eq "$2" "$faults/log" && [ "$(fault_sum)" = "$fault_old" ] &&
		[ -z "$(fault_litter)" ]
}
limited -f 8
check "a limit of file sizes gives an error" ended 1 'cannot (write|create) .*: File too large'
descriptors=
for n in 5 6 7 8 9; do
	limited -n "$n"
	[ "$status" = 0 ] || ended "$status" 'Too many open files' >/dev/null || descriptors+=" $n"
done
check "too few file descriptors are not reported as a missing kernel module" test -z "$descriptors"
memory=
# With less memory the loader cannot map the libraries.
for kib in 75000 80000 90000 100000; do
	limited -v "$kib"
	[ "$status" = 0 ] ||
		ended 1 'out of memory|Cannot allocate memory|Resource temporarily unavailable' \
		>/dev/null || memory+=" $kib"
done
check "a limit of memory gives an error" test -z "$memory"
finish

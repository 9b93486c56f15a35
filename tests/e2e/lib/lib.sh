# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# For end-to-end tests: prints results in TAP, makes a temporary directory, and ends VMs that hang.
# Source it first; call `finish` last. The caller of the tests adds up the results.
# MVM_TEST_KEEP=1 keeps the directory. The function $at_end, if set, runs at the very end.

# The root of the sources, and an empty directory that is removed when the test ends.
# shellcheck disable=SC2034 # for the tests
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
# shellcheck source=tests/e2e/lib/progress.sh
. "$(dirname "${BASH_SOURCE[0]}")/progress.sh"
test_dir=$(mktemp -d -t "mvm-$(basename "$0" .sh).XXXXXX")
tests=0 failures=0
vm_pid=

test_end() {
	[ -z "$vm_pid" ] || vm_kill
	[ -z "${at_end:-}" ] || "$at_end"
	if [ -n "${MVM_TEST_KEEP:-}" ]; then
		echo "# kept: $test_dir"
		return
	fi
	chmod -R u+w "$test_dir" # Nix stores have read-only directories
	rm -rf "$test_dir"
}
trap test_end EXIT
trap 'exit 130' INT TERM HUP

ok() {
	tests=$((tests + 1))
	echo "ok $tests - $1"
}

# not_ok DESCRIPTION [FILE]: prints the end of FILE.
not_ok() {
	tests=$((tests + 1)) failures=$((failures + 1))
	echo "not ok $tests - $1"
	[ ! -f "${2:-}" ] || tail -n "${MVM_TEST_TAIL:-40}" "$2" | sed 's/^/#   /'
}

# skip DESCRIPTION REASON
skip() {
	tests=$((tests + 1))
	echo "ok $tests - $1 # SKIP $2"
}

# skip_all REASON: skips the whole test.
skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}

need_root() {
	[ "$(id -u)" = 0 ] || skip_all "needs root"
}

need_programs() {
	local program
	for program; do
		command -v "$program" >/dev/null || PATH=$PATH:/usr/sbin:/sbin command \
			-v "$program" >/dev/null || skip_all "needs $program"
	done
}

as_nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
# lend PATH: prints a path through which every user can read it: of a copy, if only root may search
# the directory of the sources.
lend() {
	local copy=$test_dir/lent/${1##*/}
	if [ "$(id -u)" != 0 ] || as_nobody test -r "$1"; then
		copy=$1
	elif [ ! -e "$copy" ]; then
		chmod 755 "$test_dir"
		mkdir -p "$test_dir/lent"
		cp -r "$1" "$copy"
	fi
	echo "$copy"
}

# check DESCRIPTION COMMAND...: the command must succeed.
check() {
	local description=$1
	shift
	if "$@" >"$test_dir/.check" 2>&1; then
		ok "$description"
	else
		not_ok "$description" "$test_dir/.check"
	fi
}

# expect DESCRIPTION FILE REGEX: a line of FILE matches (grep -E). expect_no: none does.
expect() {
	if grep -Eq -e "$3" "$2"; then ok "$1"; else not_ok "$1 (nothing matches: $3)" "$2"; fi
}
expect_no() {
	if grep -Eq -e "$3" "$2"; then not_ok "$1 (something matches: $3)" "$2"; else ok "$1"; fi
}

finish() {
	echo "1..$tests"
	[ "$failures" = 0 ]
	exit
}

# vm_run SECONDS CONSOLE SIGN COMMAND...: runs a VM to its end, with its output in the file CONSOLE.
# Returns the command's status, or 124 when the VM made no progress for SECONDS (progress.sh).
# QEMU's TCG sometimes hangs or breaks a kernel: there is a second try if the VM hung, if no line of
# the console matches SIGN (which the guest under test prints) or if the kernel oopsed, but never
# because a result was wrong. The function $vm_before, if set, runs before each try.
vm_run() {
	local seconds=$1 console=$2 sign=$3 status
	shift 3
	vm_once "$seconds" "$console" "$@" && status=0 || status=$?
	if [ "$status" = 124 ] || vm_is_broken "$console" "$sign"; then
		echo "# one more try: the guest hung, or did not get as far as its test; the first console:"
		tail -n 15 "$console" | sed 's/^/#   /'
		vm_once "$seconds" "$console" "$@" && status=0 || status=$?
	fi
	return "$status"
}

vm_once() {
	vm_start "$@"
	vm_wait
}

vm_is_broken() {
	! grep -Eq -e "$2" "$1" ||
		grep -Eq 'Oops: |double fault: |BUG: unable to handle|general protection fault' "$1"
}

# vm_start SECONDS CONSOLE COMMAND...: starts a VM in the background. vm_wait waits for its end and
# returns its status; it ends a VM that makes no progress for SECONDS. A VM that prints something
# over and over is ended after 20 times as long.
vm_start() {
	local console=$2
	vm_limit=$1
	shift 2
	[ -z "${vm_before:-}" ] || "$vm_before"
	# The console is emptied before the VM runs: a wait must not see lines of the VM before.
	: >"$console"
	timeout -k 5 $((20 * vm_limit)) "$@" </dev/null >"$console" 2>&1 &
	vm_pid=$! # timeout makes a process group of its own
	vm_console=$console
}

vm_wait() {
	local status hangs=
	progress_begin "$vm_limit" "$vm_console" "$vm_pid"
	while kill -0 "$vm_pid" 2>/dev/null; do
		if ! progress; then
			hangs=yes
			kill "$vm_pid" 2>/dev/null
			break
		fi
		sleep 0.1
	done
	wait "$vm_pid" && status=0 || status=$?
	[ -z "$hangs" ] || status=124
	vm_pid=
	sed -i 's/\r*$//' "$vm_console"
	return "$status"
}

# vm_wait_for REGEX: waits until a line of the running VM's console matches. Fails when the VM ends
# or makes no progress before.
vm_wait_for() {
	local runs=yes
	progress_begin "$vm_limit" "$vm_console" "$vm_pid"
	while :; do
		kill -0 "$vm_pid" 2>/dev/null || runs= # before its last words are looked for
		if grep -Eq -e "$1" "$vm_console"; then return; fi
		[ -n "$runs" ] && progress || return 1
		sleep 0.1
	done
}

# Kills a VM that vm_start started.
vm_kill() {
	kill "$vm_pid" 2>/dev/null || true # timeout passes it on to all of its group
	wait "$vm_pid" 2>/dev/null || true
	vm_pid=
}

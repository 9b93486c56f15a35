#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs the tests: tests/check.sh [KIND...]. KIND is one of unit golden fuzz lint clang asan e2e, or
# long; without any, all but long run. e2e/ROOM and e2e/ROOM/NAME_test select end-to-end tests.
# Every test program prints TAP; the last line adds the results up. Logs are in build/tests/logs/.
set -u
cd "$(dirname "$0")/.." || exit 1
build=${BUILD:-build}
logs=$build/tests/logs
mkdir -p "$logs"
passed=0 failed=0 skipped=0
jobs=$(nproc)
# An emulated VM keeps one processor busy.
at_once=$((jobs > 1 ? jobs : 1))
[ "$at_once" -le 4 ] || at_once=4
names=() commands=() # what runs since settle was called last
report=$logs/failures # printed once more at the end, where nobody has to look for it
: >"$report"

declare -A kinds_of # the running test programs, by process: busy or idle

# A script that waits most of its time has the line "# Load: idle" in its head. Such scripts run
# beside the busy ones.
kind_of() { # FILE
	if [ -f "$1" ] && sed -n '/^#/!q; p' "$1" | grep -qx '# Load: idle'; then
		echo idle
	else
		echo busy
	fi
}

wait_for_place() { # KIND
	local process limit=$at_once count
	if [ "$1" = idle ]; then limit=$((2 * at_once)); fi
	count=$limit
	while [ "$count" -ge "$limit" ]; do
		count=0
		for process in $(jobs -rp); do
			if [ "${kinds_of[$process]:-}" = "$1" ]; then count=$((count + 1)); fi
		done
		if [ "$count" -ge "$limit" ]; then wait -n; fi
	done
}

# run NAME SECONDS COMMAND...: starts one test program beside others; settle waits for all. It is
# ended when it has printed nothing for SECONDS, which leaves much room for a slow or busy machine.
run() {
	local log=$logs/${1//\//-} kind
	kind=$(kind_of "${!#}")
	wait_for_place "$kind"
	rm -f "$log.counts"
	names+=("$1") commands+=("$(printf '%q ' "$@")")
	run_one "$log" "$@" >"$log.summary" 2>&1 && cat "$log.summary" &
	kinds_of[$!]=$kind
}

# Waits for the programs that run, and adds up their results. One without a result has failed. Up to
# three end-to-end tests that fail are run again, alone: on a busy machine an emulated VM can starve
# or wedge. A success then counts, but both runs are in the report at the end.
settle() {
	local i log again=() ok not_ok skips
	wait
	for i in "${!names[@]}"; do
		result "${names[i]}"
		if [ "$not_ok" = 0 ]; then add; else again+=("$i"); fi
	done
	for i in "${again[@]}"; do
		cat "$logs/${names[i]//\//-}.summary" >>"$report"
		case ${#again[@]}:${names[i]} in
		[1-3]:e2e/*) run_again "${names[i]}" "${commands[i]}" ;;
		esac
		result "${names[i]}"
		add
	done
	names=() commands=()
}

run_again() { # NAME COMMAND (quoted)
	local log=$logs/${1//\//-}
	rm -f "$log.counts"
	mv "$log.log" "$log.first.log"
	eval "run_one $(printf '%q' "$log") $2" >"$log.summary" 2>&1
	sed '1s/^/again, alone: /' "$log.summary" | tee -a "$report"
}

# Sets ok, not_ok and skips of the test program NAME.
result() {
	read -r ok not_ok skips <"$logs/${1//\//-}.counts" || { ok=0 not_ok=1 skips=0; }
}

add() {
	passed=$((passed + ok)) failed=$((failed + not_ok)) skipped=$((skipped + skips))
}

run_one() { # LOG NAME SECONDS COMMAND...
	local log=$1.log name=$2 seconds=$3 status=0 ok not_ok skips
	shift 3
	local before=$SECONDS
	CMOCKA_MESSAGE_OUTPUT=TAP watched "$log" "$seconds" "$@" || status=$?
	# cmocka 1.1 calls a skipped test "not ok".
	skips=$(grep -ciE '^((not )?ok .*|1\.\.0 *)# SKIP' "$log")
	ok=$(grep -ciE '^ok ' "$log")
	ok=$((ok - $(grep -ciE '^ok .*# SKIP' "$log")))
	not_ok=$(grep '^not ok ' "$log" | grep -civE '# SKIP')
	if [ "$status" != 0 ] && [ "$not_ok" = 0 ]; then not_ok=1; fi # it died
	# It tested nothing.
	if [ "$status" = 0 ] && [ $((ok + not_ok + skips)) = 0 ]; then not_ok=1; fi
	echo "$ok $not_ok $skips" >"${log%.log}.counts"
	printf '%-5s %s: %d passed, %d failed, %d skipped, %d s\n' \
		"$([ "$not_ok" = 0 ] && echo ok || echo FAIL)" "$name" "$ok" "$not_ok" "$skips" \
			$((SECONDS - before))
	grep -iE '# SKIP' "$log" | sed 's/^/      /'
	if [ "$not_ok" != 0 ]; then
		echo "      status $status; the end of $log:"
		tail -n 60 "$log" | sed 's/^/      | /'
	fi
	true
}

# watched LOG SECONDS COMMAND...: returns its status, or 124 when LOG did not grow for SECONDS.
watched() {
	local log=$1 seconds=$2 program size='' now since=$SECONDS silent='' status=0
	shift 2
	timeout -k 10 $((10 * seconds)) "$@" >"$log" 2>&1 </dev/null &
	program=$!
	while kill -0 "$program" 2>/dev/null; do
		sleep 0.2
		now=$(stat -c %s "$log")
		if [ "$now" != "$size" ]; then
			size=$now since=$SECONDS
		elif [ -z "$silent" ] && [ $((SECONDS - since)) -ge "$seconds" ]; then
			silent=yes
			kill "$program"
		fi
	done
	wait "$program" || status=$?
	[ -z "$silent" ] || status=124
	return "$status"
}

tests_unit() { # [BUILD [PREFIX]]
	local program
	MVM_TEST_KERNEL=$(tests/e2e/lib/kernel.sh) || unset MVM_TEST_KERNEL
	for program in "${1:-$build}"/tests/unit/*_test; do
		MVM_TEST_KERNEL=${MVM_TEST_KERNEL:-} MVM_HOST=${1:-$build}/mvm-host \
			run "${2:-}unit/$(basename "$program")" 600 "$program"
	done
}

tests_golden() {
	MVMBUILD=${1:-$build}/mvmbuild run "${2:-}golden" 900 bash tests/golden/run.sh
	run "${2:-}golden/schema" 300 python3 tests/golden/schema.py "${1:-$build}/mvmbuild"
}

tests_fuzz() {
	local program name
	for program in "${1:-$build}"/tests/fuzz/*_fuzz; do
		[ -x "$program" ] || continue
		name=$(basename "$program")
		run "${2:-}fuzz/$name" 900 "$program" "tests/fuzz/corpus/${name%_fuzz}"
	done
}

# Runs everything above, compiled with the sanitizers.
tests_asan() {
	local flags='-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined'
	flags+=' -fno-omit-frame-pointer'
	run asan/build 5400 bash -c \
		"make -s -j$jobs BUILD=$build/asan CFLAGS='$flags' WERROR=-Werror \
		all unit-programs && echo 'ok 1 - mvmbuild builds with the sanitizers'"
	settle
	[ -x "$build/asan/mvmbuild" ] || return
	tests_unit "$build/asan" asan/
	tests_golden "$build/asan" asan/
	tests_fuzz "$build/asan" asan/
}

tests_clang() {
	run clang 3600 bash -c "make -s -j$jobs CC=clang BUILD=$build/clang WERROR=-Werror all &&
		echo 'ok 1 - clang builds mvmbuild without a warning'"
}

tests_lint() {
	run lint 1500 bash tests/lint.sh
}

tests_e2e() { # [e2e/ROOM[/NAME_test]]
	local script name wanted=${1:-e2e} found=
	tests/e2e/lib/kernel.sh >/dev/null || true # once, for all
	for script in tests/e2e/*/*_test.sh; do
		name=${script#tests/} name=${name%.sh}
		case $name in "$wanted" | "$wanted"/*) ;; *) continue ;; esac
		found=yes
		run "$name" 1500 bash "$script"
	done
	[ -n "$found" ] || no_such_kind "$wanted"
}

# Runs the campaigns, which make many tries each to find rare faults; MVM_LONG=N makes N times as
# many.
tests_long() {
	local script
	tests/e2e/lib/kernel.sh >/dev/null || true
	for script in tests/long/*_test.sh; do
		run "long/$(basename "$script" .sh)" "$((${MVM_LONG:-1} * 3600))" bash "$script"
	done
}

kinds=("$@")
if [ $# = 0 ]; then kinds=(lint unit golden fuzz e2e clang asan); fi
no_such_kind() {
	echo "check: there are no tests \"$1\"" >&2
	exit 2
}

for kind in "${kinds[@]}"; do
	case $kind in
	e2e/*) tests_e2e "$kind" ;;
	*)
		declare -F "tests_$kind" >/dev/null || no_such_kind "$kind"
		"tests_$kind"
		;;
	esac
	settle
done
if [ -s "$report" ]; then
	echo "What failed, once more:"
	cat "$report"
fi
if [ "$skipped" = 0 ]; then
	echo "$passed passed, $failed failed"
else
	echo "$passed passed, $failed failed, $skipped skipped"
fi
[ "$failed" = 0 ]

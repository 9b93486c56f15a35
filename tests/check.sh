#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs the tests: tests/check.sh [KIND...], KIND one of unit golden fuzz lint clang asan e2e, or long; without any: all but long. Every test
# program prints TAP; the last line adds the results up. Logs are in build/tests/.
set -u
cd "$(dirname "$0")/.." || exit 1
build=${BUILD:-build}
logs=$build/tests/logs
mkdir -p "$logs"
passed=0 failed=0 skipped=0
jobs=$(nproc)
# A VM under emulation keeps one processor busy.
at_once=$((jobs > 1 ? jobs : 1))
[ "$at_once" -le 4 ] || at_once=4
counts=()

# run NAME SECONDS COMMAND...: one test program, beside others; settle waits for all.
run() {
	while [ "$(jobs -rp | wc -l)" -ge "$at_once" ]; do wait -n; done
	local log=$logs/${1//\//-}
	rm -f "$log.counts"
	counts+=("$log.counts")
	run_one "$log" "$@" >"$log.summary" 2>&1 && cat "$log.summary" &
}

# Waits for the programs that run, and adds their results up. One that left none has failed.
settle() {
	local file ok not_ok skips
	wait
	for file in "${counts[@]}"; do
		read -r ok not_ok skips <"$file" || { ok=0 not_ok=1 skips=0; }
		passed=$((passed + ok)) failed=$((failed + not_ok)) skipped=$((skipped + skips))
	done
	counts=()
}

run_one() { # LOG NAME SECONDS COMMAND...
	local log=$1.log name=$2 seconds=$3 status=0 ok not_ok skips
	shift 3
	local before=$SECONDS
	CMOCKA_MESSAGE_OUTPUT=TAP timeout -k 10 "$seconds" "$@" >"$log" 2>&1 </dev/null || status=$?
	# cmocka 1.1 calls a skipped test "not ok".
	skips=$(grep -ciE '^((not )?ok .*|1\.\.0 *)# SKIP' "$log")
	ok=$(grep -ciE '^ok ' "$log")
	ok=$((ok - $(grep -ciE '^ok .*# SKIP' "$log")))
	not_ok=$(grep '^not ok ' "$log" | grep -civE '# SKIP')
	if [ "$status" != 0 ] && [ "$not_ok" = 0 ]; then not_ok=1; fi # it died
	if [ "$status" = 0 ] && [ $((ok + not_ok + skips)) = 0 ]; then not_ok=1; fi # it tested nothing
	echo "$ok $not_ok $skips" >"${log%.log}.counts"
	printf '%-5s %s: %d passed, %d failed, %d skipped, %d s\n' "$([ "$not_ok" = 0 ] && echo ok || echo FAIL)" "$name" "$ok" "$not_ok" "$skips" \
		$((SECONDS - before))
	grep -iE '# SKIP' "$log" | sed 's/^/      /'
	if [ "$not_ok" != 0 ]; then
		echo "      status $status; the end of $log:"
		tail -n 60 "$log" | sed 's/^/      | /'
	fi
	true
}

tests_unit() { # [BUILD [PREFIX]]
	local program
	MVM_TEST_KERNEL=$(tests/e2e/lib/kernel.sh) || unset MVM_TEST_KERNEL
	for program in "${1:-$build}"/tests/unit/*_test; do
		MVM_TEST_KERNEL=${MVM_TEST_KERNEL:-} MVM_HOST=${1:-$build}/mvm-host run "${2:-}unit/$(basename "$program")" 600 "$program"
	done
}

tests_golden() {
	MVMBUILD=${1:-$build}/mvmbuild run "${2:-}golden" 300 bash tests/golden/run.sh
}

tests_fuzz() {
	local program
	for program in "${1:-$build}"/tests/fuzz/*_fuzz; do
		if [ -x "$program" ]; then run "${2:-}fuzz/$(basename "$program")" 300 "$program" "tests/fuzz/corpus/$(basename "$program" _fuzz)"; fi
	done
}

# Everything above, compiled with the sanitizers.
tests_asan() {
	local sanitize='-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer'
	run asan/build 900 bash -c "make -s -j$jobs BUILD=$build/asan CFLAGS='-O1 -g $sanitize' WERROR=-Werror all unit-programs && echo 'ok 1 - builds'"
	settle
	[ -x "$build/asan/mvmbuild" ] || return
	tests_unit "$build/asan" asan/
	tests_golden "$build/asan" asan/
	tests_fuzz "$build/asan" asan/
}

tests_clang() {
	run clang 900 bash -c "make -s -j$jobs CC=clang BUILD=$build/clang WERROR=-Werror all && echo 'ok 1 - builds without a warning'"
}

tests_lint() {
	run lint 300 bash tests/lint.sh
}

tests_e2e() {
	local script name
	tests/e2e/lib/kernel.sh >/dev/null || true # once, for all
	for script in tests/e2e/*/*_test.sh; do
		name=${script#tests/}
		run "${name%.sh}" 1500 bash "$script"
	done
}

# Campaigns: many tries each, so that what is rare is seen. MVM_LONG=N asks for N times as many. Not a part of "all".
tests_long() {
	local script
	tests/e2e/lib/kernel.sh >/dev/null || true
	for script in tests/long/*_test.sh; do
		run "long/$(basename "$script" .sh)" "$((${MVM_LONG:-1} * 3600))" bash "$script"
	done
}

kinds=("$@")
if [ $# = 0 ]; then kinds=(lint unit golden fuzz e2e clang asan); fi
for kind in "${kinds[@]}"; do
	if ! declare -F "tests_$kind" >/dev/null; then
		echo "check: there is no kind of test \"$kind\"" >&2
		exit 2
	fi
	"tests_$kind"
	settle
done
if [ "$skipped" = 0 ]; then
	echo "$passed passed, $failed failed"
else
	echo "$passed passed, $failed failed, $skipped skipped"
fi
[ "$failed" = 0 ]

#!/bin/bash
# SPDX-License-Identifier: MIT
# Fuzzes: tests/fuzz/run.sh BUILD SECONDS [TARGET...]. Needs clang with its runtime
# (libclang-rt-14-dev). New inputs are kept in BUILD/corpus. Put an input that fails, under a
# descriptive name, into tests/fuzz/corpus, which `make check` replays.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$1 seconds=$2
shift 2
if [ $# = 0 ]; then
	for source in tests/fuzz/*_fuzz.c; do set -- "$@" "$(basename "$source" _fuzz.c)"; done
fi
sanitize='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer'
for name in "$@"; do
	make -s -j"$(nproc)" CC=clang BUILD="$build" CFLAGS="-O1 -g $sanitize" REPLAY= \
		LDFLAGS='-fsanitize=fuzzer' "$build/tests/fuzz/${name}_fuzz"
done
for name in "$@"; do
	mkdir -p "$build/corpus/$name" "$build/found"
	ASAN_OPTIONS=detect_leaks=1 "$build/tests/fuzz/${name}_fuzz" -max_total_time="$seconds" \
		-timeout=5 -rss_limit_mb=3000 -print_final_stats=1 \
		-dict=tests/fuzz/"$name".dict -artifact_prefix="$build/found/$name-" \
			"$build/corpus/$name" tests/fuzz/corpus/"$name"
done

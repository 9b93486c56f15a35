#!/bin/bash
# SPDX-License-Identifier: MIT
# Proves that no include and no call runs upwards in the house. The rooms stand below in one order, from the
# ground up; a file may use its own room and those above it in the list. So there can be no circle either.
# Usage: tests/rooms.sh [BUILD]; with the objects of BUILD, calls are checked too.
set -u
cd "$(dirname "$0")/.." || exit 1
build=${1:-build}

floors='
templates base
imaging/guest/init imaging/guest/nix_db imaging/store imaging/kernel imaging/modules imaging/cache
imaging/disk imaging/squashfs imaging/erofs imaging/volume imaging/initrd
backends/interface backends/qemu backends/cloud_hypervisor backends
backends/runtime/base backends/runtime/shares backends/runtime/volume backends/runtime/kvm
backends/runtime/control backends/runtime
compiler/describe compiler/storage compiler/check compiler/resolve compiler/closure compiler/plan
compiler/images compiler/runner compiler/session compiler/inspect compiler/microvm compiler/fleet
compiler/command compiler'

# Every file that includes one of the house: "FILE:LINE USER-ROOM USED-ROOM WHAT".
includes() {
	git ls-files --cached --others --exclude-standard -- '*.c' '*.h' | grep -v '^tests/' |
		while read -r file; do [ ! -f "$file" ] || grep -Hn '^#include "' "$file"; done |
		sed -n 's|^\(\(.*\)/[^/:]*:[0-9]*\):#include "\(\(.*\)/[^/"]*\)"|\1 \2 \4 \3|p'
}

# Which object defines a symbol, and which needs it: one row for each pair, from the linker's view.
symbols() {
	find "$build" -path "$build/tests" -prune -o -path "$build/asan" -prune -o -path "$build/clang" -prune -o \
		-name '*.o' -printf '%P\n' | while read -r object; do
		[ -f "${object%.o}.c" ] || continue
		nm -P "$build/$object" | awk -v file="${object%.o}.c" \
			'$2 ~ /[TDBRC]/ { print "d", $1, file } $2 == "U" { print "u", $1, file }'
	done
}

# The place where a file uses a symbol: its first line with that word.
place() { # FILE SYMBOL
	grep -nwm 1 "$2" "$1" | sed "s|^\([0-9]*\):.*|$1:\1|"
}

calls() {
	symbols | sort | awk '$1 == "d" { home[$2] = $3 } $1 == "u" && ($2 in home) { print $3, home[$2], $2 }' |
		while read -r user used symbol; do
			[ "${user%/*}" = "${used%/*}" ] || echo "$user ${user%/*} ${used%/*} $symbol"
		done
}

judge() {
	awk -v floors="$floors" '
		BEGIN { n = split(floors, room); for (i = 1; i <= n; i++) floor[room[i]] = i }
		!($2 in floor) { print $1 ": the room " $2 " has no floor in tests/rooms.sh"; bad = 1; next }
		!($3 in floor) { print $1 ": the room " $3 " has no floor in tests/rooms.sh"; bad = 1; next }
		floor[$3] > floor[$2] { print $1 ": " $2 " uses " $4 " of " $3 ", which is a floor above it"; bad = 1 }
		END { exit bad }'
}

status=0
includes | judge || status=1
while read -r user rest; do
	symbol=${rest##* }
	place "$user" "$symbol" | { read -r line; echo "${line:-$user}" "$rest"; }
done < <(calls | awk -v floors="$floors" '
	BEGIN { n = split(floors, room); for (i = 1; i <= n; i++) floor[room[i]] = i }
	floor[$3] > floor[$2]') | judge || status=1
exit $status

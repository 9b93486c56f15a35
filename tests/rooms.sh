#!/bin/bash
# SPDX-License-Identifier: MIT
# Proves that no include and no call runs upwards. The rooms are listed below in one order, from the
# ground up; a file may use its own room and those listed before it. So the rooms have no cycles.
# Calls are read from the objects of mvmbuild and microvm; the carried programs are compiled in one
# step each, so only their includes are checked. Usage: tests/rooms.sh [BUILD]
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
compiler/storage compiler/linked compiler/describe compiler/check compiler/resolve compiler/closure compiler/plan
compiler/images compiler/runner compiler/session compiler/inspect compiler/microvm compiler/fleet
compiler/command compiler'

mapfile -t sources < <(git ls-files --cached --others --exclude-standard -- '*.c' '*.h' |
	grep -v '^tests/' | while read -r file; do [ ! -f "$file" ] || echo "$file"; done)

# Both print "FILE:LINE USER-ROOM USED-ROOM WHAT"; the line of a call is 0, as an object has none.
includes() {
	grep -Hn '^#include "' "${sources[@]}" |
		sed -n 's|^\(\(.*\)/[^/:]*:[0-9]*\):#include "\(\(.*\)/[^/"]*\)"|\1 \2 \4 \3|p'
}

calls() {
	local file
	for file in "${sources[@]}"; do
		[ ! -f "$build/${file%.c}.o" ] || nm -AP "$build/${file%.c}.o"
	done | awk -v skip=$((${#build} + 2)) '
		{ file = substr($1, skip); sub(/\.o:$/, ".c", file) }
		$3 ~ /[TDBRC]/ { home[$2] = file }
		$3 == "U" { user[++n] = file; symbol[n] = $2 }
		function room(path) { sub(/\/[^\/]*$/, "", path); return path }
		END {
			for (i = 1; i <= n; i++)
				if ((what = symbol[i]) in home)
					print user[i] ":0", room(user[i]), room(home[what]), what
		}'
}

if [ ! -f "$build/compiler/main.o" ]; then
	echo "rooms: $build has no objects; run make first" >&2
	exit 1
fi
status=0
while read -r where user used what; do
	status=1
	# The first line that has the symbol stands for the call.
	file=${where%:*}
	[ "${where##*:}" != 0 ] || where=$file:$(grep -nwm 1 "$what" "$file" | cut -d: -f1)
	echo "$where: $user uses $what of $used, which is not below it in tests/rooms.sh"
done < <({ includes && calls; } | awk -v floors="$floors" '
	BEGIN { n = split(floors, room); for (i = 1; i <= n; i++) floor[room[i]] = i }
	!floor[$2] || !floor[$3] || floor[$3] > floor[$2]')
exit $status

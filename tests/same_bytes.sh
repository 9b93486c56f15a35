#!/bin/bash
# SPDX-License-Identifier: MIT
# Compares what two builds of mvmbuild make of the same descriptions, for a change that should not
# change runners: tests/same_bytes.sh OLD [NEW]. OLD and NEW are programs; NEW is build/mvmbuild
# unless given. The descriptions are those of golden/plan, each for every hypervisor.
#
# Prints for each file of a runner how many runners differ in it, and one diff as an example. What
# depends on the program itself is left out: the manifest's fingerprint, and libexec/, which holds
# the carried programs. The exit status is 1 if anything differs, or if one of the two refuses what
# the other one builds.
set -u
[ $# = 1 ] || [ $# = 2 ] || { sed -n '3,12s/^# \?//p' "$0" >&2; exit 2; }
old=$(realpath "$1") || exit 2
cd "$(dirname "$0")/.." || exit 2
new=$(realpath "${2:-build/mvmbuild}") || exit 2
work=$(mktemp -d -t mvm-same.XXXXXX)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
# shellcheck source=tests/golden/lib/fixture.sh
. tests/golden/lib/fixture.sh
fixture_make "$work"
mkdir "$work/home" "$work/old" "$work/new" "$work/example"
common=(--no-cache --set storeDir="$work/store"
	--set toplevel="$work/store/$fixture_hash-system" --set closure="$work/registration"
	--set kernel="$work/kernel")

# A runner contains its own path, so both are built at the same path and then moved.
build() { # PROGRAM NAME DESCRIPTION HYPERVISOR
	SOURCE_DATE_EPOCH=1 HOME=$work/home timeout 120 "$1" "${common[@]}" \
		--set hypervisor="$4" -o "$work/runner" "$3" >"$work/$2.log" 2>&1
	local status=$?
	[ ! -e "$work/runner" ] || mv "$work/runner" "$work/$2/runner"
	return $status
}

# Prints the parts of a runner that are compared: "HASH MODE PATH", or "TARGET MODE PATH" for a
# link.
listing() { # NAME
	local manifest=$work/$1/runner/share/microvm/manifest.json
	chmod u+w "$(dirname "$manifest")" "$manifest"
	jq -S 'del(.fingerprint)' "$manifest" >"$manifest.plain" && mv "$manifest.plain" "$manifest"
	(
		cd "$work/$1/runner" || exit
		find . -path ./libexec -prune -o -type l -printf '%l l %P\n'
		find . -path ./libexec -prune -o -type f -printf '%m %P\n' |
			while read -r mode path; do
			echo "$(sha256sum <"$path" | cut -c -64) $mode $path"
		done
	) | sort -k 3
}

codes() { # NAME
	grep -oE '\[[a-z0-9-]+\]$' "$work/$1.log" | sort
}

same=0 differ=0 refused=0
for description in tests/golden/plan/*/vm.yaml; do
	name=$(basename "$(dirname "$description")")
	for hypervisor in qemu cloud-hypervisor firecracker crosvm kvmtool stratovirt alioth \
		vfkit; do
		build "$old" old "$description" $hypervisor
		old_status=$?
		build "$new" new "$description" $hypervisor
		new_status=$?
		if [ $old_status != $new_status ]; then
			differ=$((differ + 1))
			echo "$name, $hypervisor: status $old_status, now $new_status"
			head -n 3 "$work/old.log" "$work/new.log" | sed 's/^/    /'
		elif [ $old_status != 0 ]; then
			refused=$((refused + 1))
			diff <(codes old) <(codes new) >"$work/codes" ||
				echo "$name, $hypervisor: refused for other reasons:" \
					"$(paste -s "$work/codes")"
		else
			paths=$(comm -3 <(listing old | sort) <(listing new | sort) |
				awk '{ print $3 }' | sort -u)
			[ -z "$paths" ] && same=$((same + 1)) || differ=$((differ + 1))
			for path in $paths; do
				echo "$path" >>"$work/paths"
				example=$work/example/${path//\//_}
				[ -s "$example" ] || diff -au "$work/old/runner/$path" \
					"$work/new/runner/$path" >"$example" 2>&1
			done
		fi
		for side in old new; do
			[ ! -e "$work/$side/runner" ] || chmod -R u+w "$work/$side/runner"
			rm -rf "$work/$side/runner"
		done
	done
done
[ ! -s "$work/paths" ] || sort "$work/paths" | uniq -c | while read -r count path; do
	echo "$path: differs in $count runners; the first of them:"
	head -c 4000 "$work/example/${path//\//_}" | head -n 60 | sed "s|$work|/F|g; s/^/    /"
done
echo "$same runners are the same, $differ differ, $refused descriptions are refused by both"
[ $differ = 0 ]

#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs random lives of a guest, judged by real Nix: it makes paths, deletes some and collects
# garbage, while its image is updated or rolled back and boots are killed. After each boot it knows
# at least the paths of a finished update, and at most those without the update.
#   MVM_RANDOM_SEEDS='1 2 3'   seeds of the lives
#   MVM_RANDOM_STEPS=25        steps in each
set -u
# shellcheck source=tests/e2e/lib/reconcile.sh
. "$(dirname "$0")/../lib/reconcile.sh"
reconcile_enter "$0"
reconcile_setup

common=$(text common 'all have it') && lib1=$(text lib-1 one "$common") &&
	lib2=$(text lib-2 two "$common") || exit 1
image one "$(text app 1 "$lib1")" "$(text shared-1 s "$common")"
image two "$(text app 2 "$lib2")" "$(text shared-2 s "$lib2")"
image three "$(text app 3 "$lib1")" "$lib2" "$(text shared-3 s "$lib1")"
names=(one two three)

declare -A references # of each of the guest's own paths

is_packed() { grep -qxF "$2" "$images/$1/paths"; }

# survivors IMAGE PATH...: prints the guest's own paths that an update to the image keeps.
survivors() {
	local image=$1 path reference changed=1
	shift
	local -A alive=()
	for path; do if ! is_packed "$image" "$path"; then alive[$path]=1; fi; done
	while [ -n "$changed" ]; do
		changed=
		for path in "${!alive[@]}"; do
			for reference in ${references[$path]}; do
				if [ -z "${alive[$reference]:-}" ] &&
					! is_packed "$image" "$reference"; then
					unset "alive[$path]"
					changed=1
					break
				fi
			done
		done
	done
	[ ${#alive[@]} = 0 ] || printf '%s\n' "${!alive[@]}" | sort
}

# Prints the paths that the guest knows and the current image does not pack.
known() {
	sqlite3 "$volume/var/nix/db/db.sqlite" 'select path from ValidPaths' | sort |
		comm -23 - "$images/$booted/paths"
}

# Makes another path, which refers to up to two others.
make_path() {
	local path number=$((RANDOM % 30)) contents
	local -a candidates chosen=()
	mapfile -t candidates < <(cat "$images/$booted/paths"; known)
	for _ in 1 2; do
		if [ $((RANDOM % 3)) != 0 ]
		then chosen+=("${candidates[RANDOM % ${#candidates[@]}]}")
		fi
	done
	contents=own
	# Sometimes the image packs it too.
	case $((RANDOM % 6)) in
	0) number=shared-1 contents=s chosen=("$common") ;;
	1) is_packed "$booted" "$lib2" && number=shared-2 contents=s chosen=("$lib2") ;;
	2) is_packed "$booted" "$lib1" && number=shared-3 contents=s chosen=("$lib1") ;;
	esac
	path=$(guest text "$number" "$contents" ${chosen[@]+"${chosen[@]}"}) || return
	references[$path]=${chosen[*]-}
	mkdir -p "$volume/var/nix/gcroots/own"
	if [ $((RANDOM % 2)) = 0 ]; then
		ln -sfn "$path" "$volume/var/nix/gcroots/own/${path##*/}"
	fi
}

delete_path() {
	local -a candidates
	mapfile -t candidates < <(known)
	# Another path may need it.
	[ ${#candidates[@]} = 0 ] || guest nix-store --delete \
		"${candidates[RANDOM % ${#candidates[@]}]}" >/dev/null 2>&1 || true
}

# judge LEAST MOST: compares with the sorted lists in these files.
judge() {
	known >"$test_dir/known"
	sound >"$test_dir/sound.log" 2>&1 && [ -z "$(comm -23 "$1" "$test_dir/known")" ] &&
		[ -z "$(comm -13 "$2" "$test_dir/known")" ]
}

# live SEED: runs a life. If something is wrong, it is false, and $test_dir/life has the steps.
live() {
	RANDOM=$1
	local step image
	local -a own
	: >"$test_dir/life"
	references=()
	fresh_guest
	boot one || return
	for ((step = 0; step < ${MVM_RANDOM_STEPS:-25}; step++)); do
		mapfile -t own < <(known)
		image=${names[RANDOM % 3]}
		case $((RANDOM % 10)) in
		[0-3])
			echo make >>"$test_dir/life"
			make_path || return
			;;
		4)
			echo delete >>"$test_dir/life"
			delete_path
			;;
		5)
			echo collect >>"$test_dir/life"
			guest nix-collect-garbage >/dev/null 2>&1 || return
			;;
		[67])
			echo "boot $image" >>"$test_dir/life"
			survivors "$image" "${own[@]}" >"$test_dir/least"
			boot "$image" && judge "$test_dir/least" "$test_dir/least" || return
			;;
		*)
			local killed=${names[RANDOM % 3]} instant=$((RANDOM % 70 + 1))
			echo "boot $killed, killed at $instant, then $image" >>"$test_dir/life"
			reconcile_with "$killed" "$kill_at" "$instant" 2>/dev/null
			survivors "$image" "${own[@]}" >"$test_dir/most"
			mapfile -t own < <(survivors "$killed" "${own[@]}")
			survivors "$image" "${own[@]}" >"$test_dir/least"
			boot "$image" && judge "$test_dir/least" "$test_dir/most" || return
			;;
		esac
	done
	[ "$step" -gt 5 ]
}

for seed in ${MVM_RANDOM_SEEDS:-1 2 3 4}; do
	if live "$seed"; then
		ok "the guest of seed $seed lives through $(wc -l <"$test_dir/life") events"
	else
		cat "$test_dir/boot.log" "$test_dir/sound.log" >>"$test_dir/life"
		not_ok "the guest of seed $seed lives through its events" "$test_dir/life"
	fi
done
finish

# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Simulates a guest's store and database without a VM, for tests of mvm-nix-db; it sources lib.sh
# and nix.sh. Images are directories with a closure and its database that real Nix made. The guest
# is an overlay on one of them, in which real Nix works. A boot does what stage 1 does.

# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/e2e/lib/nix.sh
. "$top/tests/e2e/lib/nix.sh"
nix_db=$(realpath "${MVM_NIX_DB:-$top/build/mvm-nix-db}")
images=$test_dir/images
volume=$test_dir/volume # store, work, var: what a writable store overlay keeps

# Overlays need root, at least in a user namespace.
overlay_options=
if [ "$(id -u)" != 0 ]; then overlay_options=userxattr,; fi
reconcile_enter() { # TEST: starts it again
	if [ -n "${MVM_TEST_NAMESPACE:-}" ]; then
		if [ "$MVM_TEST_NAMESPACE" = user ]; then overlay_options=userxattr,; fi
		return
	fi
	local kind=root
	local -a unshare=(unshare -m)
	if [ "$(id -u)" != 0 ]; then kind=user unshare=(unshare -rm); fi
	"${unshare[@]}" true 2>/dev/null || skip_all "no mount namespace can be made"
	trap - EXIT
	rm -rf "$test_dir"
	MVM_TEST_NAMESPACE=$kind exec "${unshare[@]}" bash "$1"
}

reconcile_setup() {
	need_programs nix-store nix-build sqlite3 cc
	nix_env_setup "$test_dir/nix"
	export NIX_CONFIG+=$'\nfsync-metadata = false'
	kill_at=$test_dir/kill_at
	cc -std=c11 -D_GNU_SOURCE -o "$kill_at" "$top/tests/e2e/lib/kill_at.c" || exit 1
	mkdir "$images"
	fresh_guest
	mkdir "$test_dir/probe" "$test_dir/probe/"{l,u,w,m}
	mount -t overlay overlay \
		-o "${overlay_options}lowerdir=$test_dir/probe/l,upperdir=$test_dir/probe/u,workdir=$test_dir/probe/w" \
		"$test_dir/probe/m" 2>/dev/null || skip_all "no overlay can be mounted on $test_dir"
	umount "$test_dir/probe/m"
}

fresh_guest() {
	[ ! -d "$volume" ] || chmod -R u+w "$volume"
	rm -rf "$volume"
	mkdir -p "$volume/store" "$volume/work"
}

# text NAME CONTENTS [STORE PATH]...: makes a store path that refers to these, in the current store.
text() {
	local name=$1 contents=$2 reference
	shift 2
	for reference; do contents+=" \${builtins.storePath $reference}"; done
	nix-instantiate --eval --read-write-mode -E "builtins.toFile \"$name\" \"$contents\"" |
		tr -d '"'
}

# image NAME STORE PATH...: makes an image of the closure of these paths of the host's store.
# mvmbuild's own writer makes its databases in other tests.
image() {
	local name=$1
	shift
	local dir=$images/$name path
	mkdir -p "$dir/lower" "$dir/seed" "$dir/db"
	nix-store -qR "$@" | sort -u >"$dir/paths"
	while read -r path; do cp -a "$path" "$dir/lower/"; done <"$dir/paths"
	# shellcheck disable=SC2046 # paths without blanks
	nix-store --dump-db $(cat "$dir/paths") >"$dir/registration"
	reconcile_sort <"$dir/registration" >"$dir/registration.sorted"
	NIX_STATE_DIR=$dir/state nix-store --load-db <"$dir/registration"
	sqlite3 "$dir/state/db/db.sqlite" \
		"pragma journal_mode = delete; vacuum into '$dir/seed/db.sqlite'" >/dev/null
	printf 10 >"$dir/seed/schema"
	sha256sum <"$dir/seed/db.sqlite" | cut -c1-64 | tr -d '\n' >"$dir/seed/id"
	printf '%s\n' "$@" >"$dir/roots"
}

# reconcile_with NAME [COMMAND that runs it]...
reconcile_with() {
	local name=$1
	shift
	"$@" "$nix_db" reconcile --seed "$images/$name/seed" --store "$NIX_STORE_DIR" --db \
		"$volume/var/nix/db" --upper "$volume/store" \
		--state "$volume/var/nix" ${again:+--again} ${renew:+--renew}
}

# boot NAME: does stage 1's part. `guest` then runs the guest's commands.
boot() {
	booted=$1
	reconcile_with "$1" 2>"$test_dir/boot.log" || return
	mkdir -p "$volume/var/nix/gcroots"
	local root
	while read -r root; do
		ln -s "$root" "$volume/var/nix/gcroots/mvm-${root##*/}"
	done <"$images/$1/roots"
}

# guest COMMAND...: runs the command in the booted guest.
guest() {
	local status=0
	mount -t overlay overlay \
		-o "${overlay_options}lowerdir=$images/$booted/lower,upperdir=$volume/store,workdir=$volume/work,redirect_dir=off,index=off" \
		"$NIX_STORE_DIR" || return
	NIX_STATE_DIR=$volume/var/nix NIX_LOCALSTATE_DIR=$volume/var "$@" || status=$?
	umount "$NIX_STORE_DIR"
	return "$status"
}

# sound: every path that the guest's Nix knows exists as registered; it knows all packed paths,
# nothing covers them, and none is garbage.
sound() {
	guest sound_inside || return
	sqlite3 "$volume/var/nix/db/db.sqlite" 'pragma integrity_check; pragma foreign_key_check' |
		diff <(echo ok) -
}
sound_inside() {
	local output
	output=$(nix-store --verify --check-contents 2>&1) || { echo "$output"; return 1; }
	if grep -v '^reading the Nix store\|^checking ' <<<"$output"; then return 1; fi
	# shellcheck disable=SC2046 # paths without blanks
	nix-store --check-validity $(cat "$images/$booted/paths") || return
	# shellcheck disable=SC2046
	diff "$images/$booted/registration.sorted" \
		<(nix-store --dump-db $(cat "$images/$booted/paths") | reconcile_sort) || return
	nix-store --gc --print-dead 2>/dev/null | sort | comm -12 - "$images/$booted/paths" |
		diff /dev/null -
}

# Prints the output of --dump-db, one line per path, with sorted references and without the deriver,
# which only the guest may know.
reconcile_sort() {
	awk '
		state == 0 { path = $0; state = 1; next }
		state < 3 { line = line " " $0; state++; next }
		state == 3 { state = 4; next }
		state == 4 { left = $0; state = 5; count = 0; if (left == 0) end_path(); next }
		state == 5 { refs[++count] = $0; if (count == left) end_path() }
		function end_path(   i, j, t) {
			for (i = 2; i <= count; i++) for (j = i; j > 1 && refs[j] < refs[j - 1]; j--) { t = refs[j]; refs[j] = refs[j - 1]; refs[j - 1] = t }
			for (i = 1; i <= count; i++) line = line " " refs[i]
			print path line; line = ""; state = 0
		}' | sort
}

# valid PATH...: the guest's Nix knows them all. invalid: none of them.
valid() { guest nix-store --check-validity "$@"; }
invalid() {
	local path
	for path; do
		if guest nix-store --check-validity "$path" 2>/dev/null; then
			echo "still valid: $path"
			return 1
		fi
	done
}

not() { ! "$@"; }

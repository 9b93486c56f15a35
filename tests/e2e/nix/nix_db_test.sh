#!/bin/bash
# SPDX-License-Identifier: MIT
# Boots guests with Nix on a read-only store disk: Nix knows each path at once as the host's Nix
# does, and collects none of them.
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
# shellcheck source=tests/e2e/lib/guest_steps.sh
. "$top/tests/e2e/lib/guest_steps.sh"
need_programs nix-store jq
guest_setup
nix_stage_nix "$test_dir/nix-files"

# registration FILE: converts the output of `nix-store --dump-db` to one line per path, sorted by
# path; the order of references means nothing.
registration() {
	awk '
		state == 0 { path = $0; state = 1; next }
		state < 4 { line = line " " $0; state++; next }
		state == 4 { left = $0; state = 5; count = 0; if (left == 0) flush_path(); next }
		state == 5 { refs[++count] = $0; if (count == left) flush_path() }
		function flush_path(   i, j, t) {
			for (i = 2; i <= count; i++) for (j = i; j > 1 && refs[j] < refs[j - 1]; j--) { t = refs[j]; refs[j] = refs[j - 1]; refs[j - 1] = t }
			for (i = 1; i <= count; i++) line = line " " refs[i]
			print path line; line = ""; state = 0
		}' "$1" | sort
}

# try NAME [LINE of the description]...: boots a guest with these steps; everything that its Nix can
# print is compared with the host's.
try() {
	name=$1
	shift
	top_path=$(guest_build guest-with-nix --argstr nixFiles "$test_dir/nix-files") || exit 1
	data=$(nix_build "$top/tests/demo/demo.nix" data) || exit 1
	{
		echo "storePaths: [$data]"
		echo 'mem: 768'
		printf '%s\n' "$@"
		fast_kernel
	} | compile "$name" "$top_path" || finish
	boot "$name" '^BEGIN verify' mvm.test=verify,requisites,dump,roots,dead,gc,ls,db
	ends_well "$name: the guest ends with status 0"
	expect "$name: the guest runs to its end" "$console" '^nix-guest: done'

	nix-store -qR "$top_path" | sort >"$test_dir/host-requisites"
	nix-store -qR "$top_path" "$data" | sort -u >"$test_dir/host-all"
	step_ok verify
	step_ok requisites
	sort "$test_dir/step-requisites" >"$test_dir/guest-requisites"
	check "$name: the guest's Nix knows the closure" \
		diff "$test_dir/host-requisites" "$test_dir/guest-requisites"
	step_ok dump
	# shellcheck disable=SC2046 # paths without blanks
	nix-store --dump-db $(cat "$test_dir/host-all") >"$test_dir/host-dump"
	registration "$test_dir/host-dump" >"$test_dir/host-registration"
	registration "$test_dir/step-dump" >"$test_dir/guest-registration"
	check "$name: hashes, sizes, derivers and references are those of the host's Nix" \
		diff "$test_dir/host-registration" "$test_dir/guest-registration"
	step_ok roots
	expect "$name: the system has a garbage collector root" \
		"$test_dir/step-roots" "/var/nix/gcroots/[^ ]* -> $top_path\$"
	expect "$name: further store paths have roots too" \
		"$test_dir/step-roots" "/var/nix/gcroots/[^ ]* -> $data\$"
	step dead
	check "$name: no store path is garbage" \
		test -z "$(grep "^$NIX_STORE_DIR/" "$test_dir/step-dead")"
	step_ok gc
	expect "$name: a collection deletes nothing" "$test_dir/step-gc" '^0 store paths deleted'
	step ls
	sed "s|.*/||" "$test_dir/host-all" >"$test_dir/host-names"
	grep -v '^\.links$' "$test_dir/step-ls" | sort >"$test_dir/guest-names"
	check "$name: the store has the closure and no more" \
		diff "$test_dir/host-names" "$test_dir/guest-names"
	MVM_TEST_TAIL=100
}

# The guest's own Nix loads a registration, as guests of microvm.nix do.
try_registration() {
	name=registration
	{
		echo 'nixDatabase: registration'
		echo 'mem: 768'
		fast_kernel
	} | compile "$name" "$top_path" || finish
	boot "$name" '^BEGIN load-db' mvm.test=load-db,verify,requisites,gc,dump
	ends_well "$name: the guest ends with status 0"
	step_ok load-db
	step_ok verify
	step_ok requisites
	sort "$test_dir/step-requisites" >"$test_dir/guest-requisites"
	check "$name: the guest's Nix knows the closure" \
		diff "$test_dir/host-requisites" "$test_dir/guest-requisites"
	step_ok gc
	expect "$name: a collection deletes nothing" "$test_dir/step-gc" '^0 store paths deleted'
	step_ok dump
	# shellcheck disable=SC2046 # paths without blanks
	nix-store --dump-db $(cat "$test_dir/host-requisites") >"$test_dir/host-dump"
	registration "$test_dir/host-dump" >"$test_dir/host-registration"
	registration "$test_dir/step-dump" >"$test_dir/guest-registration"
	check "$name: hashes, sizes, derivers and references are those of the host's Nix" \
		diff "$test_dir/host-registration" "$test_dir/guest-registration"
}

try private
try_registration
try mksquashfs 'storeDisk: {engine: mksquashfs}'
try erofs 'storeDiskType: erofs' 'storeDiskErofsFlags: [-zlz4hc, -Eztailpacking, -Efragments]'
check "erofs: the store disk is an erofs" test -f "$test_dir/erofs/share/microvm/stage1.erofs"
if nix_env_setup /nix 2>"$test_dir/log"; then
	try nix-store
else
	skip "a guest with /nix/store" "$(cat "$test_dir/log")"
fi

finish

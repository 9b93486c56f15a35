#!/bin/bash
# SPDX-License-Identifier: MIT
# Keeps a guest's writable Nix store on a volume: it knows its own paths after a reboot, an update
# of its closure is reconciled, and a VM that is killed while it builds or reconciles loses no
# registered path.
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
# shellcheck source=tests/e2e/lib/guest_steps.sh
. "$top/tests/e2e/lib/guest_steps.sh"
need_programs nix-store jq
guest_setup
limit=240 # the guest reads the whole store
nix_stage_nix "$test_dir/nix-files"
top_path=$(guest_build guest-with-nix --argstr nixFiles "$test_dir/nix-files") || exit 1
data=$(nix_build "$top/tests/demo/demo.nix" data) || exit 1
lib=$(nix-instantiate --eval --read-write-mode -E 'builtins.toFile "lib" "1"' | tr -d '"') || exit 1
app=$(nix-instantiate --eval --read-write-mode -E \
	"builtins.toFile \"app\" \"\${builtins.storePath $lib}\"" | tr -d '"') || exit 1
other=$(nix-instantiate --eval --read-write-mode -E 'builtins.toFile "other" "2"' | tr -d '"') ||
	exit 1

# vm_of NAME STORE PATH...: builds a VM that packs these paths too.
vm_of() {
	local name=$1
	shift
	{
		echo "storePaths: [$(printf '%s, ' "$@")]"
		echo 'mem: 768'
		echo 'writableStoreOverlay: /rw'
		echo 'volumes: [{image: rw.img, mountPoint: /rw, size: 128}]'
		fast_kernel
	} | compile "$name" "$top_path" || finish
}
vm_of first "$data" "$app"
vm_of second "$data" "$other"
run() { # VM NAME PARAMETER...
	local vm=$1
	name=$2
	shift 2
	boot "$vm" '^BEGIN ' "$@"
	ends_well "$name: the guest ends with status 0"
	expect "$name: the guest runs to its end" "$console" '^nix-guest: done'
}

run first "first boot" mvm.test=write,verify,requisites,add,keep,build,needing,registered \
	mvm.text=one mvm.needs="$lib"
step_ok verify
step_ok build
step add
added=$(cat "$test_dir/step-add")
step build
built=$(cat "$test_dir/step-build")
step needing
needing=$(tr -d '"' <"$test_dir/step-needing")
knows "$top_path" "$data" "$app" "$added" "${built##*$'\n'}" "$needing"
check "the guest added store paths to those of the image" \
	test -n "$added" -a -n "$built" -a -n "$needing"

run first reboot mvm.test=verify,requisites,registered,roots
step_ok verify
knows "$top_path" "$added" "${built##*$'\n'}" "$needing"
expect_no "$name: the database needed no update" "$console" 'mvm-nix-db: '

run second update mvm.test=verify,registered,dead
step_ok verify
knows "$top_path" "$data" "$other" "$added"
forgot "$app" "$lib" "$needing"
expect "$name: a store path that is gone is named" "$console" 'mvm-nix-db:   gone: [^ ]*-needing'
step dead
check "$name: no store path of the image is garbage" \
	bash -c "! grep -qF -e '$top_path' -e '$data' -e '$other' '$test_dir/step-dead'"

run second collection mvm.test=collect,verify,registered,requisites
step_ok verify
knows "$top_path" "$data" "$other" "$added"
forgot "${built##*$'\n'}"

run first rollback mvm.test=verify,registered,requisites
step_ok verify
knows "$top_path" "$app" "$lib" "$added"

# cut_off SECONDS: after this time, kills the running VM as a power cut would.
cut_off() {
	sleep "$1"
	pkill -KILL -P "$vm_pid" # timeout's child, the hypervisor
	wait "$vm_pid" 2>/dev/null
	vm_pid=
	sed -i 's/\r*$//' "$console"
}

name="cut off while it builds"
boot_start first mvm.test=busy mvm.text=busy
# shellcheck disable=SC2317 # wait_while_alive calls it
some_are_registered() { [ "$(grep -c '^registered ' "$console")" -ge 3 ]; }
check "$name: the guest builds" vm_wait_for '^registered '
wait_while_alive "$vm_pid" some_are_registered
cut_off 0.3
grep -o '^registered .*-tree$' "$console" | cut -d' ' -f2 >"$test_dir/told"
check "$name: it has registered several store paths" test "$(wc -l <"$test_dir/told")" -gt 1
run first "after it" mvm.test=verify,registered
step_ok verify
step registered
check "$name: every store path that was reported as registered is there" \
	test -z "$(sort "$test_dir/told" | comm -23 - <(sort "$test_dir/step-registered"))"

vms=(second first)
for delay in 0 0.1 0.2 0.4 0.8; do
	name="cut off $delay s into the update"
	boot_start "${vms[0]}" mvm.test=verify mvm.debug=1
	check "$name: the guest has mounted its volume" vm_wait_for 'stage1: .*mounted .*/rw'
	cut_off "$delay"
	vms=("${vms[1]}" "${vms[0]}")
done
run second "after these" mvm.test=verify,registered,requisites
step_ok verify
knows "$top_path" "$data" "$other" "$added"

finish

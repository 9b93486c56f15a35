#!/bin/bash
# SPDX-License-Identifier: MIT
# Uses templates/nix with a real Nix in a separate store: builds the runner as a derivation, again
# after a garbage collection, in a sandbox and as another user.
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/e2e/lib/nix.sh
. "$(dirname "$0")/../lib/nix.sh"
export MVMBUILD=${MVMBUILD:-$top/build/mvmbuild}
need_programs nix-build busybox qemu-system-x86_64 jq
kernel=$("$top/tests/e2e/lib/kernel.sh") || skip_all "no kernel to boot"
kernel=$(lend "$kernel") # another user builds, too
log=$test_dir/log

nix_stage_host "$test_dir/host"
chmod 755 "$test_dir"
arguments=(--argstr kernelPackage "$kernel" --argstr hostTools "$test_dir/host")
expression=$top/tests/e2e/lib/nix/host-runner.nix
build() { # ATTRIBUTE [ARGUMENT]...
	nix_build "$expression" "$1" "${arguments[@]}" "${@:2}" 2>>"$log"
}

# want DESCRIPTION JQ: holds for the file $wanted.
want() {
	check "$wanted: $1" jq -e "$2" "$test_dir/$wanted"
}

# boots DESCRIPTION RUNNER: the guest passes all its checks.
boots() {
	mkdir -p "$test_dir/state"
	(cd "$test_dir/state" && vm_run 120 "$test_dir/console" '^nixos: ' "$2/bin/microvm-run")
	local status=$?
	check "$1: the VM ends with status 0" test "$status" = 0
	expect "$1: the guest's own checks pass" "$test_dir/console" '^nixos: done, 0 failures'
}

nix_env_setup "$test_dir/nix"
runner=$(build runner)
check "nix-build makes the runner" test -x "$runner/bin/microvm-run"
[ -n "$runner" ] || { not_ok "nix-build prints a path" "$log"; finish; }
check "the runner is in the Nix store" test "${runner%/*}" = "$NIX_STORE_DIR"
image=$(readlink -f "$runner/bin/..")
boots "a runner as it was built" "$runner"

# A cache as a derivation packs the closure that Nix exports to it.
layered=$(build layered)
check "nix-build makes a runner from a cache that is a derivation" \
	test -x "$layered/bin/microvm-run"
nix-store --read-log "$(build layer)" >"$log" 2>&1
expect "the derivation packs the whole closure" "$log" '^[1-9][0-9]* store paths packed, 0 from'
nix-store --read-log "$(readlink -f "$layered/bin/..")" >"$log" 2>&1
expect "the runner packs nothing" "$log" ' 0 store paths packed, [1-9][0-9]* from the cache'
check "the cache does not change the disk's bytes" \
	cmp "$runner/share/microvm/stage1.squashfs" "$layered/share/microvm/stage1.squashfs"

# Whatever is copied to another host must be needed there. Nix before 2.18 cannot drop the guest's
# system from the references.
nix_version=$(nix-instantiate --eval -E builtins.nixVersion | tr -d '"')
mapfile -t paths <"$runner/nix-support/host-store-paths"
guest=()
if ! printf '2.18\n%s\n' "$nix_version" | sort -CV; then guest=("$(build toplevel)"); fi
surplus=$(comm -23 <(nix-store -qR "$runner" | sort) <({
	nix-store -qR "${paths[@]}" "${guest[@]}"
	printf '%s\n' "$runner" "$image"
} | sort))
check "the runner's closure is what its host needs" test -z "$surplus"
nix-store -qR "$(nix-instantiate "$expression" -A lean "${arguments[@]}" \
	--argstr busyboxProgram "$(readlink -f "$(command -v busybox)")" 2>"$log")" \
	>"$test_dir/inputs"
expect "a runner has the programs of its scripts as an input" \
	"$test_dir/inputs" '-host-tools\.drv$'
expect_no "packages of parts that the VM does not have are not inputs" \
	"$test_dir/inputs" '-unused-'

nix-instantiate --eval --strict --json "$expression" -A elsewhere "${arguments[@]}" \
	>"$test_dir/elsewhere" 2>"$log"
wanted=elsewhere
want "a runner for another system is described as one" '.hostSystem == "aarch64-linux"'
want "its scripts run with that system's bash" '.hostShell | test("bash-aarch64/bin/bash$")'
want "its scripts find that system's programs and no others" \
	'.hostPath | length == 1 and (.[0] | test("coreutils-aarch64/bin$"))'

# The result is the only garbage collector root.
rm "$nix_roots"/*
ln -sfn "$runner" "$NIX_STATE_DIR/gcroots/demo"
cp -f "$runner/nix-support/host-store-paths" "$test_dir/needed"
expect "the runner needs the kernel on the host" "$test_dir/needed" "^$NIX_STORE_DIR/.*-linux-6"
expect "the runner needs the programs of its scripts on the host" \
	"$test_dir/needed" "^$NIX_STORE_DIR/.*-host-tools\$"
expect_no "the runner does not need the guest's system on the host" \
	"$test_dir/needed" 'nixos-system'
nix-collect-garbage >"$log" 2>&1
while read -r path; do
	check "after a collection there is ${path##*-}" test -e "$path"
done <"$test_dir/needed"
check "the store paths that the image refers to are there after a collection" \
	nix-store --check-validity "$image"
boots "a runner after a collection" "$runner"

before=$(nix-store -q --hash "$image")
check "the image is made again with the same bytes" build runner --check
check "nix-build --check did not change the image" \
	test "$before" = "$(nix-store -q --hash "$image")"

rm "$NIX_STATE_DIR/gcroots/demo" "$nix_roots"/*
nix-collect-garbage >"$log" 2>&1
check "a runner without roots is collected" test ! -e "$runner" -a ! -e "$image"

# A sandbox has no network, no /home and no cache; the machine's libraries are mounted in it for the
# machine's programs.
# shellcheck disable=SC2119 # no path
if nix_sandbox; then
	runner=$(build runner "${sandbox[@]}")
	check "nix-build in a sandbox makes the runner" test -x "$runner/bin/microvm-run"
	check "a sandbox does not change the bytes" \
		test "$before" = "$(nix-store -q --hash "$(readlink -f "$runner/bin/..")")"
else
	skip "nix-build in a sandbox makes the runner" "$sandbox_error"
fi

# Hosts read these attributes. The description is in a wrapper, and a script's text names a package.
runner=$(build odd)
check "nix-build makes a runner of a description without its wrapper" \
	test -x "$runner/bin/microvm-run"
check "a runner without a socket has no microvm-shutdown" test ! -e "$runner/bin/microvm-shutdown"
cp -f "$runner/nix-support/host-store-paths" "$test_dir/needed" 2>/dev/null
expect "a store path in preStart is needed on the host" "$test_dir/needed" '-words-1.0$'
cat >"$test_dir/attributes.nix" <<'E2'
{ file, arguments }:
let all = import file arguments; pick = r: { inherit (r) canShutdown supportsNotifySocket registerWithMachined tapMultiQueue hypervisor machineId meta; same = r.passthru.machineId == r.machineId; };
in { runner = pick all.runner; odd = pick all.odd; }
E2
nix-instantiate --eval --strict --json "$test_dir/attributes.nix" --arg file "$expression" \
	--arg arguments "{ kernelPackage = \"$kernel\"; hostTools = \"$test_dir/host\"; }" \
		>"$test_dir/attributes" 2>"$log"
wanted=attributes
want "nix run finds microvm-run" '.runner.meta.mainProgram == "microvm-run"'
want "canShutdown is set" '.runner.canShutdown and (.odd.canShutdown | not)'
want "tapMultiQueue is set" '.odd.tapMultiQueue and (.runner.tapMultiQueue | not)'
want "all that microvm.nix's host module reads is set" \
	'.runner | (.supportsNotifySocket == false) and (.registerWithMachined == false) and .hypervisor == "qemu" and .same'
want "machineId is what mvmbuild derives" \
	".odd.machineId == \"$(jq -r .machineId "$runner/share/microvm/vm.json")\""

# An unprivileged user builds in a separate store.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	mkdir -m 777 "$test_dir/user"
	cat >"$test_dir/as-user" <<'E2'
set -eu
. "$1/tests/e2e/lib/nix.sh"
nix_env_setup "$2/nix"
export HOME=/homeless-shelter
nix_build "$1/tests/e2e/lib/nix/host-runner.nix" runner "${@:3}"
E2
	lend "$top/templates" >/dev/null
	sources=$(dirname "$(lend "$top/tests")")
	user_runner=$(as_nobody env -i PATH="$PATH" bash "$test_dir/as-user" "$sources" \
		"$test_dir/user" "${arguments[@]}" 2>"$log")
	check "nix-build as nobody makes the runner" test -x "$user_runner/bin/microvm-run"
	[ -n "$user_runner" ] || not_ok "nix-build as nobody prints a path" "$log"
else
	skip "nix-build as nobody makes the runner" "not root"
fi

finish

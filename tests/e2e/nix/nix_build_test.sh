#!/bin/bash
# SPDX-License-Identifier: MIT
# templates/nix with a real Nix, in a store of its own: the runner as a derivation, collected around, made anew, made in a sandbox and by
# another user; the description of an existing configuration.
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

# boots DESCRIPTION RUNNER: the guest does all its checks.
boots() {
	mkdir -p "$test_dir/state"
	(cd "$test_dir/state" && vm_run 120 "$test_dir/console" '^nixos: ' "$2/bin/microvm-run")
	local status=$?
	check "$1: it ends well" test "$status" = 0
	expect "$1: the guest's checks pass" "$test_dir/console" '^nixos: done, 0 failures'
}

nix_env_setup "$test_dir/nix"
runner=$(build runner)
check "nix-build makes the runner" test -x "$runner/bin/microvm-run"
[ -n "$runner" ] || { not_ok "its log" "$log"; finish; }
check "in the store" test "${runner%/*}" = "$NIX_STORE_DIR"
image=$(readlink -f "$runner/bin/..")
boots "as built" "$runner"

# The result is a root; nothing else is.
rm "$nix_roots"/*
ln -sfn "$runner" "$NIX_STATE_DIR/gcroots/demo"
cp -f "$runner/nix-support/host-store-paths" "$test_dir/needed"
expect "the kernel is needed on the host" "$test_dir/needed" "^$NIX_STORE_DIR/.*-linux-6"
expect "the scripts' programs are" "$test_dir/needed" "^$NIX_STORE_DIR/.*-host-tools\$"
expect_no "the guest's system is not" "$test_dir/needed" 'nixos-system'
nix-collect-garbage >"$log" 2>&1
while read -r path; do check "after a collection there is ${path##*-}" test -e "$path"; done <"$test_dir/needed"
check "and what the image refers to" nix-store --check-validity "$image"
boots "after a collection" "$runner"

before=$(nix-store -q --hash "$image")
check "it is reproducible" build runner --check
check "which has not changed it" test "$before" = "$(nix-store -q --hash "$image")"

rm "$NIX_STATE_DIR/gcroots/demo" "$nix_roots"/*
nix-collect-garbage >"$log" 2>&1
check "without roots all of it goes" test ! -e "$runner" -a ! -e "$image"

# In a sandbox: no network, no /home, no cache; the machine's libraries, which the machine's programs want, are let in.
sandbox=(--option sandbox true --option sandbox-fallback false --option extra-sandbox-paths '/lib /lib64 /usr')
# shellcheck disable=SC2016 # the builder's $out
if nix-build --no-out-link "${sandbox[@]}" -E 'derivation { name = "probe"; system = builtins.currentSystem; builder = "/usr/bin/bash"; args = [ "-c" "echo > $out" ]; }' \
	>"$test_dir/probe" 2>&1; then
	runner=$(build runner "${sandbox[@]}")
	check "nix-build in a sandbox makes the runner" test -x "$runner/bin/microvm-run"
	check "with the same bytes" test "$before" = "$(nix-store -q --hash "$(readlink -f "$runner/bin/..")")"
else
	skip "nix-build in a sandbox" "the machine cannot: $(grep -m 1 error "$test_dir/probe")"
fi

# Attributes that hosts read; a description under its wrapper; a package in the text of a script.
runner=$(build odd)
check "a description in its wrapper" test -x "$runner/bin/microvm-run"
check "without a socket there is no microvm-shutdown" test ! -e "$runner/bin/microvm-shutdown"
cp -f "$runner/nix-support/host-store-paths" "$test_dir/needed" 2>/dev/null
expect "a path in preStart is needed on the host" "$test_dir/needed" '-words-1.0$'
cat >"$test_dir/attributes.nix" <<'E2'
{ file, arguments }:
let all = import file arguments; pick = r: { inherit (r) canShutdown supportsNotifySocket registerWithMachined tapMultiQueue hypervisor machineId meta; same = r.passthru.machineId == r.machineId; };
in { runner = pick all.runner; odd = pick all.odd; }
E2
nix-instantiate --eval --strict --json "$test_dir/attributes.nix" --arg file "$expression" \
	--arg arguments "{ kernelPackage = \"$kernel\"; hostTools = \"$test_dir/host\"; }" >"$test_dir/attributes" 2>"$log"
wanted=attributes
want "nix run finds microvm-run" '.runner.meta.mainProgram == "microvm-run"'
want "canShutdown" '.runner.canShutdown and (.odd.canShutdown | not)'
want "tapMultiQueue" '.odd.tapMultiQueue and (.runner.tapMultiQueue | not)'
want "all that the host module reads" '.runner | (.supportsNotifySocket == false) and (.registerWithMachined == false) and .hypervisor == "qemu" and .same'
want "machineId as mvmbuild derives it" ".odd.machineId == \"$(jq -r .machineId "$runner/share/microvm/vm.json")\""

# A user without any rights, in a store of his own.
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
	user_runner=$(as_nobody env -i PATH="$PATH" bash "$test_dir/as-user" "$sources" "$test_dir/user" "${arguments[@]}" 2>"$log")
	check "nix-build as nobody makes the runner" test -x "$user_runner/bin/microvm-run"
	[ -n "$user_runner" ] || not_ok "its log" "$log"
else
	skip "nix-build as nobody" "not root"
fi

# The description in a configuration.
nix-instantiate --eval --strict --json -E "import $top/tests/e2e/lib/nix/export-mock.nix { }" >"$test_dir/export" 2>"$log"
check "the description in a configuration can be written" test $? = 0
wanted="export"
want "name and system" '.hostName == "mock" and (.toplevel | test("-system$"))'
want "packages are paths" '(.kernel | test("-package$")) and (.qemu.package | test("-package$"))'
want "paths stay where they are" '.volumes[0].image == "/var/data.img"'
want "null, booleans, numbers, lists" '.user == null and .balloon == false and .mem == 512 and .qemu.extraArgs == ["-a", "b"]'
want "nothing generated" '[has("runner"), has("declaredRunner"), has("bootDisk"), has("storeDisk"), has("guest"), has("vmHostPackages")] | any | not'
want "no functions, package sets, failures" '[has("apply"), has("broken"), (.qemu | has("pkgs"))] | any | not'
want "a share's default is left out" '(.shares[0] | has("readOnly") | not) and .shares[1].readOnly'
want "the reference's registration is not for our stage 1" '.kernelParams == ["quiet", "init=/x"] and (has("storePaths") | not)'
want "overrides" '.vcpu == 7'
check "mvmbuild takes it" "$MVMBUILD" check "$test_dir/export"
nix-instantiate --eval --strict --json -E "import $top/tests/e2e/lib/nix/export-mock.nix { initrd = \"guest\"; }" >"$test_dir/export" 2>"$log"
want "with the guest's initrd it is packed" '(.kernelParams[2] | test("^regInfo=.*-closure-info/registration$")) and (.storePaths[0] | test("-closure-info$"))'
finish

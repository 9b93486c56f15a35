#!/bin/bash
# SPDX-License-Identifier: MIT
# Evaluates a real NixOS with templates/nix/microvm, the drop-in for microvm.nix's guest module:
# some twenty kinds of configurations, and one for each mistake that the module finds. mvmbuild
# reads what they describe. Needs MVM_NIXPKGS=DIR, the sources of nixpkgs. With
# MVM_MICROVM_NIX=DIR, the sources of microvm.nix, the options are compared with its own. Nix builds
# nothing here.
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
[ -n "${MVM_NIXPKGS:-}" ] || skip_all "needs MVM_NIXPKGS=DIR, sources of nixpkgs"
need_programs jq nix-instantiate
# shellcheck source=tests/e2e/lib/nix.sh
. "$top/tests/e2e/lib/nix.sh"
mvmbuild=$top/build/mvmbuild log=$test_dir/log

# shellcheck disable=SC2317 # check calls it
evaluated() { # FILE ATTRIBUTE
	nix-instantiate --eval --strict --json "$top/tests/e2e/lib/nix/module.nix" --arg nixpkgs \
		"$MVM_NIXPKGS" -A "$2" >"$test_dir/$1" 2>"$log" || { tail -n 30 "$log" >&2; false; }
}

# The mounts in one order, without what only stage 1 needs.
normal='.mounts | map(.options |= sort | {target, device, type, options, layers, neededForBoot})
	| sort_by(.target, .device)'

check "all configurations, systems and runners evaluate" evaluated reports reports
check "a configuration can give its root as a default" jq -e \
	'.["root-by-default"].fstab | test("\nrootfs / tmpfs [^ ]*size=20%")' "$test_dir/reports"
for name in $(jq -r 'keys[]' "$test_dir/reports"); do
	jq --arg name "$name" '.[$name]' "$test_dir/reports" >"$test_dir/$name"
	check "$name: no assertion fails" jq -e '.failed == []' "$test_dir/$name"
	jq .description "$test_dir/$name" >"$test_dir/$name.json"
	jq "{mounts: .mounts.mounts} | $normal" "$test_dir/$name" >"$test_dir/$name.mounts"
	if "$mvmbuild" plan --mounts "$test_dir/$name.json" >"$test_dir/plan" 2>"$log"; then
		ok "$name: mvmbuild reads the description"
	else
		not_ok "$name: mvmbuild reads the description" "$log"
		continue
	fi
	jq "$normal" "$test_dir/plan" >"$test_dir/plan.mounts"
	check "$name: the guest's file systems are those that mvmbuild plans" \
		diff "$test_dir/plan.mounts" "$test_dir/$name.mounts"
done

# ---- particular values ----
is() { # DESCRIPTION NAME FILTER
	check "$1" jq -e "$3" "$test_dir/$2"
}
is "what is not given is left out" empty '.description | has("mem") or has("machineId") | not'
is "mvmbuild's own initrd is the default" empty \
	'.initrd == "own" and (.description | has("initrd") | not)'
is "the runner has what hosts read" empty \
	'.passthru.canShutdown and .passthru.hypervisor == "qemu"'
is "another file system that is needed for boot takes the guest's initrd" needed-for-boot \
	'.initrd == "guest" and (.description.initrd | startswith("/nix/store/"))'
is "with the guest's initrd, the closure is registered" needed-for-boot \
	'[.description.kernelParams[] | select(startswith("regInfo="))] | length == 1'
is "a command of the configuration takes the guest's initrd" own-hooks '.initrd == "guest"'
is "a unit in the initrd takes the guest's initrd" own-units '.initrd == "guest"'
is "the guest's initrd has the drivers of persistent memory" pmem-guest \
	'.modules | contains(["virtio_pmem", "nd_pmem", "erofs"])'
is "NixOS maps a store disk that is persistent memory" pmem-guest \
	'.fstab | test("\n/dev/disk/by-label/nix-store /nix/.ro-store erofs [^ ]*dax=always")'
is "an overlay for /etc takes the guest's initrd" etc-overlay '.initrd == "guest"'
is "nixos-init takes the guest's initrd" nixos-init '.initrd == "guest"'
is "with nixos-init, a unit registers the closure" nixos-init \
	'.postBootCommands == "" and (.registration | contains("--load-db"))'
is "otherwise a command of stage 2 registers it" needed-for-boot \
	'(.postBootCommands | contains("--load-db")) and .registration == null'
is "modules for the guest's initrd are loaded by mvmbuild's" initrd-modules \
	'.initrd == "own" and .description.stage1.modules == ["virtio_gpu"]'
is "lines that a configuration adds to a script are added to mvmbuild's" scripts \
	'.description.binScripts | (keys | sort) == ["pci-setup", "tap-down", "tap-up.after",
		"virtiofsd-run.before"]'
is "null is kept where it has a meaning" everything \
	'.description | has("socket") and .socket == null'
is "parameters of the kernel and of the VM are there" everything \
	'.description.kernelParams | contains(["debug", "quiet"])'
is "only the chosen hypervisor is an input" everything '.description | has("crosvm") | not'

check "every runner evaluates" evaluated others others
check "there is one for each hypervisor" jq -e 'length == 8' "$test_dir/others"
check "mvmbuild evaluates with the programs of the other architecture" evaluated foreign foreign
check "there are three of them" jq -e \
	'test("for program in mvm-init mvm-host mvm-nix-db;.*carried/.program-(aarch64|x86_64)"; "m")' \
	"$test_dir/foreign"
check "the programs for deployment evaluate" evaluated deploy deploy
check "a VM with the host's store can switch" jq -e '.sshSwitch != null' "$test_dir/deploy"

check "the mistakes evaluate" evaluated refused refused
jq -r 'to_entries[] | select(.key as $text | .value | any(contains($text)) | not) | .key' \
	"$test_dir/refused" >"$log"
check "every mistake has its message" test ! -s "$log"

# ---- microvm.nix's options ----
if [ -z "${MVM_MICROVM_NIX:-}" ]; then
	skip "the options are microvm.nix's" "needs MVM_MICROVM_NIX=DIR, sources of microvm.nix"
	finish
fi
nix-instantiate --eval --strict --json "$top/tests/e2e/lib/nix/parity.nix" --arg nixpkgs \
	"$MVM_NIXPKGS" --arg reference "$MVM_MICROVM_NIX" >"$test_dir/parity" 2>"$log" ||
	not_ok "the options of both modules evaluate" "$log"
jq -r '.ours as $ours | .theirs | keys[] | select(in($ours) | not)' "$test_dir/parity" >"$log"
check "the module has each option of microvm.nix" test ! -s "$log"
check "microvm.nix has more than 100 options" jq -e '.theirs | length > 100' "$test_dir/parity"
# docs/nixos.md lists these.
printf '%s\n' shares.readOnly storeDiskErofsFlags storeDiskSquashfsFlags storeDiskType \
	virtiofsd.group >"$test_dir/documented"
jq -r '.ours as $ours | .theirs | to_entries[] | select($ours[.key] != .value) | .key' \
	"$test_dir/parity" >"$test_dir/differ"
check "the defaults are the same, with the exceptions that are documented" \
	diff "$test_dir/documented" "$test_dir/differ"
finish

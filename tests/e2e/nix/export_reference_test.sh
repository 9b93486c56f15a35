#!/bin/bash
# SPDX-License-Identifier: MIT
# export.nix makes descriptions of configurations that microvm.nix's own guest module evaluates, and
# mvmbuild plans them. Needs MVM_MICROVM_NIX=DIR, the sources of microvm.nix, and
# MVM_NIXPKGS_LIB=DIR, nixpkgs' lib (nix-community/nixpkgs.lib), or MVM_NIXPKGS=DIR, the sources of
# nixpkgs, for a real NixOS. Nix builds nothing here.
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/golden/lib/fixture.sh
. "$top/tests/golden/lib/fixture.sh"
[ -n "${MVM_MICROVM_NIX:-}" ] ||
	skip_all "needs MVM_MICROVM_NIX=DIR, sources of microvm.nix, and MVM_NIXPKGS_LIB or MVM_NIXPKGS"
[ -n "${MVM_NIXPKGS_LIB:-}${MVM_NIXPKGS:-}" ] ||
	skip_all "needs MVM_NIXPKGS_LIB=DIR, nixpkgs' lib, or MVM_NIXPKGS=DIR, sources of nixpkgs"
mvmbuild=${MVMBUILD:-$top/build/mvmbuild}
need_programs nix-instantiate jq
fixture_make "$test_dir/fixture"

arguments=(--arg reference "$MVM_MICROVM_NIX")
# A tree of nixpkgs may be older than this microvm.nix demands.
if [ -n "${MVM_NIXPKGS_LIB:-}" ]; then
	arguments+=(--arg nixlib "$MVM_NIXPKGS_LIB")
else
	arguments+=(--arg nixpkgs "$MVM_NIXPKGS")
fi
nix-instantiate --eval --strict --json "${arguments[@]}" \
	"$top/tests/e2e/lib/nix/reference-guest.nix" >"$test_dir/all" 2>"$test_dir/log"
status=$?
check "all configurations are exported" eval "cat \"\$test_dir/log\"; test $status = 0"
expect "options of other modules are reported" "$test_dir/log" \
	'microvm.qemu.bios is left out: mvmbuild has no such option'
expect_no "and options of the host's module are not" "$test_dir/log" 'microvm.vms'

# The systems do not exist: another one, in another store, takes their place.
store=$test_dir/fixture/store
for name in $(jq -r 'keys[]' "$test_dir/all"); do
	jq --arg name "$name" '.[$name]' "$test_dir/all" | sed "s|\"/nix/store\"|\"$store\"|" \
		>"$test_dir/$name.json"
	plan=("$mvmbuild" plan --json "$test_dir/$name.json" --set storeDir="$store"
		--set toplevel="$store/$fixture_hash-system" --set storeDiskType=squashfs
		--set closure="$test_dir/fixture/registration"
		--set kernel="$test_dir/fixture/kernel")
	case $name in
	permissions-only-*)
		check "$name: mvmbuild plans the VM" "${plan[@]}"
		expect "$name: with a warning about the host's store" "$test_dir/.check" \
			'warning: .* only its permissions protect'
		;;
	*)
		check "$name: mvmbuild plans the VM" "${plan[@]}"
		expect_no "$name: without a warning" "$test_dir/.check" ': (warning|error): '
		;;
	esac
done
check "joins-bridge: what was added to tap-up is kept" jq -e \
	'.binScripts | keys == ["tap-up.after"] and (.[] | test("^\\s*/ip .* master br0\\s*$"))' \
	"$test_dir/joins-bridge.json"
check "replaces-script: a script in place of tap-up is kept" jq -e \
	'.binScripts["tap-up"] == "/switch attach vm-tap"' "$test_dir/replaces-script.json"
finish

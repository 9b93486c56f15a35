#!/bin/bash
# SPDX-License-Identifier: MIT
# The flake, the Nix package and the host module. Without nixpkgs: the files parse, and the module's
# units are those of make install-systemd. With MVM_NIXPKGS=DIR, the sources of nixpkgs: NixOS
# hosts with the module evaluate, up to the derivations of whole systems, and so does what the flake
# has. With MVM_MICROVM_NIX=DIR too, the sources of microvm.nix: the module's options are those of
# microvm.nix's. Nix builds nothing here.
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
need_programs jq nix-instantiate make
# shellcheck source=tests/e2e/lib/nix.sh
. "$top/tests/e2e/lib/nix.sh"
nix_env_setup "$test_dir/nix"
log=$test_dir/log nixpkgs=${MVM_NIXPKGS:-}

# ---- without nixpkgs ----
mapfile -t files < <(find "$top"/*.nix "$top/templates" -name '*.nix')
check "all Nix files parse" nix-instantiate --parse "${files[@]}"
check "flake.lock has one input, nixpkgs, at a revision with a hash" jq -e '
	(.nodes | keys == ["nixpkgs", "root"]) and (.nodes.nixpkgs.locked |
	.owner == "NixOS" and .repo == "nixpkgs" and (.rev | test("^[0-9a-f]{40}$")) and
	(.narHash | test("^sha256-[A-Za-z0-9+/]{43}=$")) and .lastModified > 1700000000)' \
	"$top/flake.lock"
check "the overlay has the names of arguments that nix flake check demands" \
	grep -q 'overlays.default = final: prev:' "$top/default.nix"

units() { # SHELL COREUTILS LIBEXEC
	nix-instantiate --eval --strict --json --expr "import $top/templates/nix/host/units.nix {
		stateDir = \"/var/lib/microvms\"; user = \"microvm\"; group = \"microvm\";
		setBooted = \"$3/set-booted\"; shell = \"$1\"; coreutils = \"$2\"; }"
}
libexec=/usr/local/libexec/mvmbuild
make -s -C "$top" install-systemd DESTDIR="$test_dir/host" LIBEXECDIR="$libexec" >"$log" 2>&1
host=$test_dir/host/usr/local/lib
units /bin/sh '' "$libexec" >"$test_dir/units" 2>"$log" || cat "$log"
mapfile -t names < <(jq -r '.units | keys[]' "$test_dir/units")
check "the module has all units of make install-systemd" \
	diff <(printf '%s\n' "${names[@]}") \
		<(cd "$host/systemd/system" && find . -type f -printf '%P\n' | LC_ALL=C sort)
for name in "${names[@]}"; do
	check "$name is the text of make install-systemd" \
		diff <(jq -j --arg name "$name" '.units[$name]' "$test_dir/units") \
			"$host/systemd/system/$name"
done
check "the module loads the kernel modules of make install-systemd" \
	diff <(jq -r '.kernelModules[]' "$test_dir/units") \
		<(grep -v '^#' "$host/modules-load.d/mvmbuild.conf")
check "the module has the state directory of make install-systemd" \
	diff <(jq -r '.tmpfiles[]' "$test_dir/units") \
		<(grep -v '^#' "$host/tmpfiles.d/mvmbuild.conf")
units /run/sh /run/coreutils /run/libexec >"$test_dir/elsewhere"
jq -r '.units[]' "$test_dir/elsewhere" |
	grep -E '(^|[=+ ])/bin/|/usr/|@[a-z]+@' >"$log"
check "with NixOS's paths, no unit names a program outside of the store" test ! -s "$log"

if [ -z "$nixpkgs" ]; then
	skip "NixOS hosts with the module" "needs MVM_NIXPKGS=DIR, sources of nixpkgs"
	finish
fi

# ---- with nixpkgs ----
# shellcheck disable=SC2317 # check calls it
evaluated() { # ATTRIBUTE
	nix-instantiate --eval --strict --json "$top/tests/e2e/lib/nix/host.nix" --arg nixpkgs \
		"$nixpkgs" ${MVM_MICROVM_NIX:+--arg reference "$MVM_MICROVM_NIX"} -A "$1" \
		>"$test_dir/$1" 2>"$log" || { tail -n 30 "$log" >&2; false; }
}
# shellcheck disable=SC2317
has() { jq -r --arg key "$2" '.[$key]' "$test_dir/$1" | grep -qE -- "$3"; }
# shellcheck disable=SC2317
lacks() { ! has "$@"; }

check "two hosts evaluate, and all derivations of their systems" evaluated toplevels
check "the drop-ins of the units evaluate" evaluated units
check "a change of the host does not restart a VM by default" \
	has units microvm@.service '^X-RestartIfChanged=false$'
# systemd reads one file of this name, that of the VM.
check "the units of a declared VM find their programs" has units \
	microvm-set-booted@declared.service '^Environment="PATH=[^"]*-coreutils-'
check "a VM with config restarts when it changes" \
	has units microvm@declared.service '^X-RestartIfChanged=true$'
check "its unit changes with the VM" has units microvm@declared.service '^X-Restart-Triggers='
check "the unit waits for a guest of microvm.nix that reports its readiness" \
	has units microvm@evaluated.service \
	'^ExecStart=/var/lib/microvms/%i/current/bin/microvm-run$'
check "that VM needs machined, which its runner registers it with" \
	has units microvm@evaluated.service '^Wants=systemd-machined.service$'
check "a VM of a flake keeps running when it changes" \
	has units microvm@flake.service '^X-RestartIfChanged=false$'
check "a VM with updateFlake is installed once" \
	has units install-microvm-updated.service '^ConditionPathExists=!/var/lib/microvms/updated$'
# nixpkgs writes the list as one line or as several.
check "the target starts the VMs with autostart and those named by the host" \
	has units microvms.target '^Wants=(.* )?microvm@declared\.service( |$)'
check "it names a VM that is created by hand" \
	has units microvms.target '^Wants=(.* )?microvm@by-hand\.service( |$)'
check "it does not start a VM without autostart" lacks units microvms.target 'evaluated'

evaluated scripts
for name in declared flake updated; do
	jq -r ".[\"install-microvm-$name\"]" "$test_dir/scripts" >"$test_dir/$name.sh"
	check "the script that installs $name passes shellcheck" \
		shellcheck -s bash -e SC2164 "$test_dir/$name.sh" # set -e
done
# shellcheck disable=SC2016
check "a declared VM is marked by the link toplevel" \
	grep -qE '^replace /[^ ]*-nixos-system-declared-[^ ]* toplevel$' "$test_dir/declared.sh"
check "a VM of a flake remembers the flake" grep -qE "/srv/flake'? >flake" "$test_dir/flake.sh"
check "a VM with updateFlake remembers that one" \
	grep -qF "git+file:///srv/it'\\''s' >flake" "$test_dir/updated.sh"

# The script as root would run it, on a directory that microvm.nix made.
if [ "$(id -u)" = 0 ]; then
	sed -e "s|/var/lib/microvms|$test_dir/vms|; s|/nix/var/nix|$test_dir/var|g" \
		-e 's|root:microvm|root:nogroup|' "$test_dir/declared.sh" >"$test_dir/install.sh"
	mkdir -p "$test_dir/vms/declared/toplevel"
	ln -s /elsewhere "$test_dir/vms/declared/current"
	chown -hR nobody "$test_dir/vms/declared"
	check "the script installs a VM over a directory of microvm.nix" \
		bash -e "$test_dir/install.sh"
	check "the directory belongs to root then, and is sticky" \
		test "$(stat -c %U:%a "$test_dir/vms/declared")" = root:1775
	check "so do the links" test "$(stat -c %U "$test_dir"/vms/declared/{current,toplevel} |
		sort -u)" = root
	check "current leads to the runner" \
		grep -q microvm-qemu-declared <(readlink "$test_dir/vms/declared/current")
	check "the runners that are in use are roots of Nix's garbage collector" \
		test "$(readlink "$test_dir/var/gcroots/microvm/booted-declared")" = \
			"$test_dir/vms/declared/booted"
	check "the script can run again" bash -e "$test_dir/install.sh"
else
	skip "the script installs a VM" "needs root"
fi

evaluated otherUnits
check "startupTimeout is in the unit" \
	has otherUnits microvm@.service '^TimeoutStartSec=300s$'
check "with useNotifySockets, the unit waits for every guest" \
	has otherUnits microvm@.service '^ExecStart=/srv/vms/%i/current/bin/microvm-run$'
check "a host can change the unit of all VMs" has otherUnits microvm@.service '^Nice=5$'
check "so it does for a declared VM" has otherUnits microvm@one.service '^Nice=5$'
check "a declared VM has the host's startupTimeout" \
	has otherUnits microvm@one.service '^TimeoutStartSec=300s$'

evaluated shares
check "shared directories outside of the store are made" \
	jq -e 'keys == ["/srv/data"]' "$test_dir/shares"
evaluated modules
check "the host loads the modules for taps, vhost and vsock" \
	jq -e 'contains(["tun", "vhost_net", "vhost_vsock"])' "$test_dir/modules"
evaluated user
check "the VMs' user has a group of its own and may use KVM" \
	jq -e '.group == "microvm" and .extraGroups == ["kvm"]' "$test_dir/user"
evaluated failed
check "config with flake or updateFlake is refused, and other VMs are not" \
	jq -e 'map_values(length) | .good == 0 and .["config-and-flake"] == 1 and
		.["config-and-update"] == 1' "$test_dir/failed"

# As in a flake, which may not read the store's directory.
check "the package's sources are read from their own directory alone" \
	nix-instantiate --eval --option restrict-eval true -I "$nixpkgs" -I "$top" --expr \
	"((import $nixpkgs { system = \"x86_64-linux\"; config = { }; overlays = [ ]; }).callPackage
		$top/package.nix { }).src.outPath or \"\""
check "the flake's packages, examples and checks evaluate" evaluated flake
check "there is an example for each hypervisor, and a host" jq -e '
	.names | contains(["qemu-example", "cloud-hypervisor-example", "firecracker-example",
	"crosvm-example", "kvmtool-example", "stratovirt-example", "vm", "qemu-vnc"])' \
	"$test_dir/flake"

if [ -z "${MVM_MICROVM_NIX:-}" ]; then
	skip "the options of microvm.nix's host module" "needs MVM_MICROVM_NIX=DIR, its sources"
	finish
fi
check "microvm.nix's host module evaluates" evaluated options
# A package of our own; names of a type; texts in place of values in the documentation.
jq -r '(.ours | del(.["host.package"])) as $ours | .reference | to_entries[] |
	select($ours[.key] == null or ($ours[.key].default != .value.default and
		.value.default != "computed" and $ours[.key].default != "computed") or
		($ours[.key].type != .value.type and .key != "vms.*.config")) | .key' \
	"$test_dir/options" >"$log"
check "all its options are there, with their types and defaults" test ! -s "$log"
check "there are no others but host.package" jq -e \
	'(.ours | keys) - (.reference | keys) == ["host.package"]' "$test_dir/options"
check "runners-only makes the runners beside microvm.nix's guest module" evaluated runnersOnly
finish

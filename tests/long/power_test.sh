#!/bin/bash
# SPDX-License-Identifier: MIT
# Cuts the power of a host at any time: nothing that existed before is lost, new files exist
# completely or not at all, and the results of a finished command are there. lib/power.sh has the
# details.
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../e2e/lib/guest.sh"
# shellcheck source=tests/e2e/lib/lab.sh
. "$top/tests/e2e/lib/lab.sh"
# shellcheck source=tests/long/lib/power.sh
. "$top/tests/long/lib/power.sh"
need_root
guest_setup
power_setup

# ---- the world: a store, its registration, and descriptions of two systems ----
# shellcheck source=tests/golden/lib/fixture.sh
. "$top/tests/golden/lib/fixture.sh"
mkdir -p "$world/ref" "$world/fake/bin" "$test_dir/inside"
cp "$top/tests/long/lib/power/images.sh" "$top/tests/long/lib/power/guest_volume.sh" "$world/"
printf '#!/usr/bin/env bash\nexit 0\n' >"$world/fake/bin/qemu-system-x86_64"
chmod +x "$world/fake/bin/qemu-system-x86_64"
fixture_kernel "$world/kernel"
bulk() { # NAME BYTES LINES
	mkdir -p "$test_dir/bulk/$1/deep"
	head -c "$2" /dev/urandom >"$test_dir/bulk/$1/random"
	seq 1 "$3" >"$test_dir/bulk/$1/deep/numbers"
	nix-store --add "$test_dir/bulk/$1"
}
demo=$(nix_build "$top/tests/demo/demo.nix" toplevel) || exit 1
one=$(bulk one 1500000 60000) two=$(bulk two 2500000 90000) both=$(bulk both 700000 30000)
mapfile -t paths < <(nix-store -qR "$demo" "$one" "$two" "$both" | sort -u)
nix-store --dump-db "${paths[@]}" >"$world/registration"
describe() { # NAME MIB-OF-MEMORY STORE-PATH... ; further lines on standard input
	{
		printf '%s\n' "hostName: $1" "toplevel: $demo" "storeDir: $NIX_STORE_DIR" \
			"closure: $world/registration" "kernel: $world/kernel" "mem: $2" \
			"qemu: {package: $world/fake}" "storePaths: [$(printf '%s, ' "${@:3}")]"
		cat
	} >"$world/$1.yaml"
	"$mvmbuild" -q --no-cache "$world/$1.yaml" -o "$world/ref/$1" >/dev/null || exit 1
}
describe old 512 "$one" "$both" </dev/null
describe new 768 "$two" "$both" </dev/null

volumes() { # NAME MIB-OF-EXT4 MIB-OF-XFS MIB-OF-BTRFS
	describe "$1" 512 "$both" <<-V
		volumes: [{image: data.img, label: data, size: $2}, {image: x.img, fsType: xfs, label: xdata, size: $3}, {image: b.img, fsType: btrfs, label: bdata, size: $4}
		  , {image: v.img, fsType: vfat, label: VDATA, size: 16}, {image: m.img, label: mdata, size: 64, mkfsExtraArgs: [-N, '5000']}]
	V
}
volumes small 64 300 128
# A btrfs that grows must get at least 256 MiB.
volumes large 128 400 256
host() { # NAME VM...
	{
		printf 'stateDir: %s/vms\nuser: root\ngroup: root\nvms:\n' "$world"
		printf '%s\n' "${@:2}"
	} >"$world/host-$1.yaml"
	"$mvmbuild" -q --no-cache host "$world/host-$1.yaml" -o "$world/ref/host-$1" >/dev/null ||
		exit 1
}
host one "  same: {source: $world/old.yaml}" "  changed: {source: $world/old.yaml}"
host two "  same: {source: $world/old.yaml}" "  changed: {source: $world/new.yaml}" \
	"  new: {source: $world/new.yaml}"

scene build 100
scene build_no_sync 60
scene microvm 150
scene host 120
scene volumes 80
scene grow 120
scene guest_ext4 80
scene guest_ext3 60
scene guest_xfs 60
scene guest_btrfs 60
finish

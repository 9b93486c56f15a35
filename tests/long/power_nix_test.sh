#!/bin/bash
# SPDX-License-Identifier: MIT
# Cuts the power of a guest with a writable Nix store at any time during its first build, an update
# to another closure, and a garbage collection. After each cut this machine's Nix checks the store
# as the next boot would see it.
# shellcheck disable=SC2317,SC2154,SC2034 # power.sh calls the functions
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../e2e/lib/guest.sh"
# shellcheck source=tests/e2e/lib/guest_steps.sh
. "$top/tests/e2e/lib/guest_steps.sh"
# shellcheck source=tests/e2e/lib/lab.sh
. "$top/tests/e2e/lib/lab.sh"
# shellcheck source=tests/long/lib/power.sh
. "$top/tests/long/lib/power.sh"
need_root
need_programs bsdtar sqlite3
guest_setup
power_setup
limit=400
nix_stage_nix "$test_dir/nix-files"
top_path=$(guest_build guest-with-nix --argstr nixFiles "$test_dir/nix-files") || exit 1
data_path=$(nix_build "$top/tests/demo/demo.nix" data) || exit 1
text() { nix-instantiate --eval --read-write-mode -E "builtins.toFile \"$1\" \"$2\"" | tr -d '"'; }
lib=$(text lib 1) && app=$(text app "\${builtins.storePath $lib}") && other=$(text other 2) ||
	exit 1
cp "$(dirname "$mvmbuild")/mvm-nix-db" "$world/bin/"

# ---- two closures of one VM, each with the seed of the database from its first stage ----
vm_of() { # NAME STORE PATH...
	{
		echo "storePaths: [$(printf '%s, ' "${@:2}")]"
		echo 'mem: 768'
		echo "qemu: {package: $test_dir/qemu}"
		echo 'writableStoreOverlay: /rw'
		echo 'volumes: [{image: rw.img, mountPoint: /rw, size: 128}]'
		fast_kernel
	} | compile "$1" "$top_path" || finish
	local file name
	mkdir -p "$test_dir/initrd-$1" "$world/seed/$1" "$world/low-$1"
	bsdtar -xf "$test_dir/$1/share/microvm/initrd" -C "$test_dir/initrd-$1"
	sed -n 's#^file \(mvm/files/[0-9]*\) .*/\(db.sqlite\|schema\|id\) .*#\1 \2#p' \
		"$test_dir/initrd-$1/mvm/plan" | while read -r file name
	do
		cp "$test_dir/initrd-$1/$file" "$world/seed/$1/$name"
	done
	cp "$test_dir/$1/share/microvm/stage1.squashfs" "$world/low-$1.squashfs"
}
vm_of first "$data_path" "$app"
vm_of second "$data_path" "$other"
check "the images' databases are found" \
	test -s "$world/seed/first/id" -a -s "$world/seed/second/db.sqlite"

# Scenes start from a new store, or after a boot that left a root and garbage.
mkdir "$test_dir/starts"
tar -xzf "$test_dir/first/share/microvm/volumes/0.tar.gz" -C "$test_dir/starts" &&
	mv "$test_dir/starts/image" "$test_dir/starts/new"
as_new() { rm -f rw.img && cp --sparse=always "$test_dir/starts/new" rw.img; }
vm_before=as_new
boot first '^BEGIN ' mvm.test=add,keep,build mvm.text=one
check "a first boot ends with status 0" test "$status" = 0
step add
added=$(cat "$test_dir/step-add")
cp --sparse=always rw.img "$test_dir/starts/used"

power_mib=128
scene_prepare() { cp --sparse=always "$test_dir/starts/$scene_start" "$scene_dir/start"; }
in_record() {
	rm -f rw.img rw.img.log
	cp --sparse=always "$scene_dir/start" rw.img
	truncate -s 4G rw.img.log
}
scene_record() {
	vm_before=in_record
	export RECORD=rw.img
	boot "$scene_vm" '^BEGIN ' "mvm.test=$scene_steps" mvm.text=two
	unset RECORD
	mv rw.img "$scene_dir/disk"
	mv rw.img.log "$scene_dir/disk.log"
	cp "$console" "$scene_dir/console"
	[ "$status" = 0 ] && grep -q '^nix-guest: done' "$console"
}
power_names=(top_path data_path lib app other scene_keeps)

nix_scene() { # NAME POINTS START VM STEPS [STORE PATH that stays]...
	scene_start=$3 scene_vm=$4 scene_steps=$5 scene_keeps="${*:6}"
	scene "$1" "$2" nix
}
nix_scene nix_first 60 new first add,keep,build
nix_scene nix_update 60 used second paths,registered "$added"
nix_scene nix_collect 60 used first collect,paths "$added"
finish

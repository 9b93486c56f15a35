#!/bin/bash
# SPDX-License-Identifier: MIT
# Boots guests whose own initrd mounts the file systems that mvmbuild plans, by `plan --mounts`
# before the guest exists, and by templates/nix/guest.nix.
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
need_programs jq nix-instantiate
guest_setup
parent=$test_dir/nix

# planned NAME LINE...: the description is $test_dir/NAME-part.yaml, its mounts $test_dir/NAME.json.
planned() {
	printf '%s\n' 'hostName: vm' "storeDir: $NIX_STORE_DIR" "${@:2}" >"$test_dir/$1-part.yaml"
	check "$1: plan --mounts prints the mounts without a toplevel" \
		"$mvmbuild" plan --mounts "$test_dir/$1-part.yaml"
	cp "$test_dir/.check" "$test_dir/$1.json"
}
# evaluated NAME ATTRIBUTE: evaluates the module's attribute.
evaluated() {
	nix-instantiate --eval --strict --json -E \
		"((import $top/templates/nix/guest.nix $test_dir/$1.json) { config.nix = { enable = true; package = \"$test_dir/tools\"; }; }).$2"
}
is() { check "$1" test "$2" = "$3"; }

volumes="volumes: [{image: rw.img, size: 64, mountPoint: $parent/.rw-store}, {image: data.img, size: 16, mountPoint: /data, label: data}]"
name=disk
planned disk "writableStoreOverlay: $parent/.rw-store" "$volumes"
is "disk: the mounts are in order" "$(jq -c '[.mounts[].target]' "$test_dir/disk.json")" \
	"[\"/data\",\"$parent/.ro-store\",\"$parent/.rw-store\",\"$NIX_STORE_DIR\"]"
is "disk: a disk is found by its serial number" "$(evaluated disk "fileSystems.\"/data\".device")" \
	'"/dev/disk/by-id/virtio-mvm-volume-1"'
is "disk: the store's mounts are needed for boot and others are not" \
	"$(evaluated disk fileSystems | jq -c '[.[] | .neededForBoot]')" \
		'[true,false,true,true,true]'
is "disk: the volumes grow and nothing else does" \
	"$(evaluated disk fileSystems |
		jq -c '[to_entries[] | select(.value.options | index("x-systemd.growfs")) | .key]')" \
	"[\"/data\",\"$parent/.rw-store\"]"
is "disk: NixOS places the layers of the overlay" \
	"$(evaluated disk "fileSystems.\"$NIX_STORE_DIR\".overlay" | jq -c .)" \
	"{\"lowerdir\":[\"$parent/.ro-store\"],\"upperdir\":\"$parent/.rw-store/store\",\"workdir\":\"$parent/.rw-store/work\"}"
is "disk: the guest's Nix makes no links across layers" \
	"$(evaluated disk nix.settings.auto-optimise-store)" false
nixos_init=$(nix-instantiate --eval -E "let
	config = { nix = { enable = true; package = \"/nix\"; }; system.nixos-init.enable = true; };
	guest = import $top/templates/nix/guest.nix $test_dir/disk.json { inherit config; };
	in guest.boot.postBootCommands == \"\" &&
		guest.systemd.services.register-nix-paths.script != \"\"")
is "disk: with nixos-init, a unit registers the paths" "$nixos_init" true
is "disk: the initrd has the modules" \
	"$(evaluated disk boot.initrd.availableKernelModules |
		jq -c 'contains(["ext4","squashfs","overlay","virtio_blk"])')" true
planned order 'hypervisor: firecracker' \
	'volumes: [{image: a.img, size: 8, mountPoint: /a}, {image: b.img, size: 8, mountPoint: /b, label: b}]'
is "order: disks are found by label or else by order" \
	"$(jq -c '[.mounts[].device]' "$test_dir/order.json")" \
	'["/dev/vdb","/dev/disk/by-label/b","/dev/vda"]'
is "order: a read-only store sets no option of Nix" "$(evaluated order nix)" '{}'
# A btrfs of less than 256 MiB never grows.
planned growth 'volumes: [{image: 2.img, size: 8, fsType: ext2, mountPoint: /2}, {image: b.img, fsType: btrfs, size: 128, mountPoint: /b}]'
is "growth: an ext2 grows" \
	"$(evaluated growth 'fileSystems."/2"' | jq -c .options)" '["x-systemd.growfs"]'
is "growth: a small btrfs does not grow" \
	"$(evaluated growth 'fileSystems."/b"' | jq -c .options)" '["defaults"]'
planned verity 'storeDisk: {verity: true}'
evaluated verity fileSystems >"$test_dir/verity.log" 2>&1
expect "verity: another initrd than mvmbuild's own is refused" \
	"$test_dir/verity.log" "storeDisk.verity needs mvmbuild's own stage 1"
planned share \
	"shares: [{tag: store, source: \"$NIX_STORE_DIR\", mountPoint: $parent/.ro-store, readOnly: true}]" "writableStoreOverlay: $parent/.rw-store"
planned bind \
	"shares: [{tag: store, source: \"$NIX_STORE_DIR\", mountPoint: $parent/.ro-store, readOnly: true}]"

# info_of PATH: the store path of a registration of its closure, which is not in it, as NixOS's
# closureInfo is.
info_of() {
	rm -rf "$test_dir/info"
	mkdir "$test_dir/info"
	# shellcheck disable=SC2046 # paths without blanks
	nix-store --dump-db $(nix-store -qR "$1") >"$test_dir/info/registration"
	nix-store --add "$test_dir/info"
}

# boots NAME: boots a system whose initrd mounts as the module says. If its store is writable, its
# Nix loads a registration of the store's contents.
boots() {
	name=$1
	system=$(nix_build "$top/tests/e2e/lib/nix/nixos-shape.nix" toplevel \
		--argstr kernelPackage "$kernel" --argstr mountsFile "$test_dir/$1.json") || exit 1
	info=$(info_of "$system")
	{
		sed 1,2d "$test_dir/$1-part.yaml"
		echo 'initrd: guest'
		if grep -q '^writableStoreOverlay:' "$test_dir/$1-part.yaml"; then
			echo "storePaths: [$info]"
			echo "kernelParams: [loglevel=4, net.ifnames=0, regInfo=$info/registration]"
		fi
	} | compile "$1" "$system" || finish
	boot "$1" '^nixos: '
	expect "$1: the guest's own initrd boots" "$console" '^guest-initrd: started'
	expect "$1: NixOS's second stage finds everything that it expects" \
		"$console" '^nixos: done, 0 failures'
}
planned pmem 'qemu: {machine: q35}' \
	'storeDisk: {type: erofs, compression: none, device: pmem}' \
	'volumes: [{image: data.img, size: 16, mountPoint: /data}]'
is "pmem: the initrd has the modules" \
	"$(evaluated pmem boot.initrd.availableKernelModules |
		jq -c 'contains(["erofs","virtio_pmem","nd_pmem"])')" true
is "disk: the initrd has no modules for persistent memory" \
	"$(evaluated disk boot.initrd.availableKernelModules | jq -c 'any(contains("pmem"))')" false
boots pmem
expect "pmem: the store is mapped" "$console" \
	"^guest-initrd: mounted [^ ]* /root$NIX_STORE_DIR erofs ro,.*dax=always"
boots disk
expect "disk: the guest can write to the store" "$console" '^nixos: upper written$'
# refused DESCRIPTION MESSAGE ARGUMENT...: the description "disk" with a mistake that would make the
# guest collect its own system as garbage.
refused() {
	check "$1 is refused" \
		test "$("$mvmbuild" plan "$test_dir/disk.yaml" \
			"${@:3}" >/dev/null 2>"$test_dir/log"; echo $?)" = 3
	expect "$1: the message has the reason" "$test_dir/log" "$2"
}
other=$(info_of "$(nix-store --add "$top/LICENSE")")
refused "a system without a registration" \
	'writableStoreOverlay: .* would delete the running system' --set 'kernelParams=[loglevel=4]'
refused "a registration outside of the closure" \
	"$info is not in the closure of this VM" --set 'storePaths=[]'
refused "a registration of another system" "the registration lacks $system" \
	--set "storePaths=[$other]" --set "kernelParams=[regInfo=$other/registration]"
refused "an init outside of the closure" "$other is not in the closure of this VM" \
	--set "kernelParams=[regInfo=$info/registration, init=$other/init]"
boots share
expect "share: the guest can write to the store" "$console" '^nixos: upper written$'
boots bind

# The registration of a closure, in a store path that is not in it, as NixOS's closureInfo is.
registered=$(nix_build "$top/tests/demo/demo.nix" toplevel) || exit 1
mkdir -p "$test_dir/tools/bin" "$test_dir/state/gcroots"
info=$(info_of "$registered")
ln -s "$(command -v nix-store)" "$test_dir/tools/bin/nix-store"
echo "quiet regInfo=$info/registration init=/x" >"$test_dir/cmdline"
jq '.stateDir = "'"$test_dir/state"'"' "$test_dir/disk.json" >"$test_dir/registration.json"
evaluated registration boot.postBootCommands | jq -r . | sed "s|/proc/cmdline|$test_dir/cmdline|" \
	>"$test_dir/register"
# As in NixOS's second stage, there are only bash and coreutils.
mkdir "$test_dir/coreutils"
for program in cat wc mkdir ln; do ln -s "$(command -v $program)" "$test_dir/coreutils/"; done
in_guest() { NIX_STATE_DIR=$test_dir/state "$@"; }
bash=$(command -v bash)
for boot in first second; do
	check "registration: the $boot boot succeeds" \
		in_guest env PATH="$test_dir/coreutils" "$bash" -eu "$test_dir/register"
done
check "registration: the guest's Nix knows the closure" \
	diff <(nix-store -qR "$registered" | sort) <(in_guest nix-store -qR "$registered" | sort)
check "registration: the guest's Nix knows the registration's own path and its references" \
	test "$(in_guest nix-store -qR "$info" |
		sort)" = "$({ nix-store -qR "$registered"; echo "$info"; } | sort)"
check "registration: none of these paths is garbage" \
	test -z "$(in_guest nix-store --gc --print-dead 2>/dev/null |
		grep -F -e "$info" -e "$registered")"
finish

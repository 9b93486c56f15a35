#!/bin/bash
# SPDX-License-Identifier: MIT
# Evaluates a real NixOS with templates/nix/guest.nix; needs MVM_NIXPKGS=DIR, the sources of
# nixpkgs. With MVM_MICROVM_NIX=DIR, the sources of microvm.nix, a runner also runs under the units
# that its host module gives a real NixOS, with nothing else in PATH. Nix builds nothing here.
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
[ -n "${MVM_NIXPKGS:-}" ] ||
	skip_all "needs MVM_NIXPKGS=DIR, sources of nixpkgs"
need_programs jq nix-instantiate
guest_setup
log=$test_dir/log

evaluated() { # ATTRIBUTE [ARGUMENT]...
	nix-instantiate --eval --strict --json "$top/tests/e2e/lib/nix/nixpkgs.nix" --arg nixpkgs \
		"$MVM_NIXPKGS" -A "$@" 2>"$log" || { cat "$log" >&2; false; }
}

# ---- a guest ----
# nixos NAME LINE...: plans this description; "${mounts[@]}" is for the module.
nixos() {
	printf '%s\n' 'hostName: vm' 'initrd: guest' "${@:2}" >"$test_dir/$1.yaml"
	check "$1: plan --mounts prints the mounts" "$mvmbuild" plan --mounts "$test_dir/$1.yaml"
	cp "$test_dir/.check" "$test_dir/$1.json"
	mounts=(--arg mounts "$test_dir/$1.json")
	check "$1: a NixOS with these mounts evaluates" \
		nix-instantiate "$top/tests/e2e/lib/nix/nixpkgs.nix" --arg nixpkgs "$MVM_NIXPKGS" \
			"${mounts[@]}" -A guest.system.build.toplevel
	evaluated guest.environment.etc.fstab.text "${mounts[@]}" | jq -r . >"$test_dir/fstab"
	evaluated guest.boot.initrd.availableKernelModules "${mounts[@]}" >"$test_dir/modules"
}
data='{image: data.img, size: 16, mountPoint: /data, label: data}'
nixos disk "volumes: [$data]" \
	'shares: [{tag: etc, source: /etc, mountPoint: /host, proto: virtiofs, readOnly: true}]'
expect "disk: fstab has the store disk" \
	"$test_dir/fstab" '^/dev/disk/by-id/virtio-mvm-store /nix/store squashfs ([^ ]*,)?ro,.* 0 0$'
expect "disk: fstab has a volume with a check" \
	"$test_dir/fstab" '^/dev/disk/by-id/virtio-mvm-volume-0 /data ext4 [^ ]+ 0 2$'
expect "disk: fstab has a share" "$test_dir/fstab" '^etc /host virtiofs ro,.* 0 0$'
expect "disk: fstab has a root in memory" "$test_dir/fstab" \
	'^tmpfs / tmpfs ([^ ]*,)?mode=0755.* 0 0$'
check "disk: the initrd has the modules" \
	jq -e 'contains(["squashfs", "virtiofs", "ext4", "virtio_blk"])' "$test_dir/modules"
evaluated guest.boot.postBootCommands "${mounts[@]}" | jq -r . >"$test_dir/register"
# shellcheck disable=SC2016 # the registration is the guest's
expect "disk: the closure is registered at boot" \
	"$test_dir/register" '^ *[^ ]*/bin/nix-store --load-db <"\$registration"'
if [ "$(evaluated knowsOverlay)" = true ]; then
	nixos overlay 'writableStoreOverlay: /nix/.rw-store' \
		"volumes: [{image: rw.img, size: 64, mountPoint: /nix/.rw-store}, $data]"
	expect "overlay: fstab has the store as an overlay" "$test_dir/fstab" \
		'^overlay /nix/store overlay .*lowerdir=[^ ]*/nix/.ro-store,upperdir=[^ ]*/nix/.rw-store/store,workdir=[^ ]*/nix/.rw-store/work'
else
	skip "overlay: fstab has the store as an overlay" \
		"NixOS before 24.05 has no fileSystems.NAME.overlay"
fi
if [ -z "${MVM_MICROVM_NIX:-}" ]; then
	skip "a runner under microvm.nix's units" \
		"needs MVM_MICROVM_NIX=DIR, sources of microvm.nix"
	finish
fi

# ---- the host's units ----
if [ "$(id -u)" != 0 ] || [ ! -x /lib/systemd/systemd ] || ! type -P dpkg nsenter script \
	>/dev/null; then
	skip "a runner under microvm.nix's units" "needs root, systemd and Debian"
	finish
fi
chmod 755 "$test_dir" # the VM's user reads its runner
# shellcheck source=tests/e2e/lib/systemd.sh
. "$top/tests/e2e/lib/systemd.sh"
units=$host_units/etc/systemd/system
mkdir -p "$units" "$host_units/usr/lib/sysusers.d"
if evaluated host --arg reference "$MVM_MICROVM_NIX" >"$test_dir/host.json"; then
	ok "microvm.nix's host module"
else
	not_ok "microvm.nix's host module" "$log"
	finish
fi
jq -r '.programs[]' "$test_dir/host.json" >"$test_dir/programs"
for program in bash coreutils gnutar gzip iproute2 kmod; do
	expect "NixOS has $program in /run/current-system/sw" "$test_dir/programs" "^$program"
done

# The units name these packages of NixOS; each is replaced by Debian's programs.
declare -A packages=([bash]=bash [coreutils]=coreutils [findutils]=findutils [gnugrep]=grep \
	[gnused]=sed [systemd]=systemd)
script='s/^Environment="(LOCALE_ARCHIVE|TZDIR)=.*//'
for package in "${!packages[@]}"; do
	mkdir -p "$test_dir/sw/$package"
	dpkg -L "${packages[$package]}" | grep -E '^(/usr)?/s?bin/' |
		xargs -I {} ln -sf {} "$test_dir/sw/$package/"
	script+=";s|$NIX_STORE_DIR/[^/]*-$package-[^/]*/s?bin|$test_dir/sw/$package|g"
done
script+=";s|$NIX_STORE_DIR/[^/]*-unit-script-[^/]*/bin/([^ ]*)-start|$test_dir/sw/scripts/\\1|"
mkdir "$test_dir/sw/scripts"
jq -r '.units | keys[]' "$test_dir/host.json" | while read -r unit; do
	jq -r --arg u "$unit" '.units[$u]' "$test_dir/host.json" | sed -E "$script" >"$units/$unit"
	name=${unit%.service}
	{ echo "#!$test_dir/sw/bash/bash -e"; jq -r --arg s "$name" '.scripts[$s] // ""' \
		"$test_dir/host.json"; } >"$test_dir/sw/scripts/${name//@/_}"
done
chmod +x "$test_dir"/sw/scripts/*
grep -h "$NIX_STORE_DIR" "$units"/* >"$log"
check "all programs that the units name are there" test ! -s "$log"
printf '[Unit]\nRequires=basic.target\nAfter=basic.target\nAllowIsolate=yes\n' \
	>"$units/mvm-test.target"
printf 'g kvm -\nu microvm -:kvm\n' >"$host_units/usr/lib/sysusers.d/reference.conf"

mkdir "$test_dir/share"
probe=$(guest_build probe-guest) || exit 1
{
	echo 'mem: 128'
	echo 'kernelParams: [probe.do=init]'
	echo 'volumes: [{image: data.img, size: 16, mountPoint: /data}]'
	echo 'interfaces: [{type: tap, id: mvm-one}]'
	echo "shares: [{tag: share, source: /mvm/share, mountPoint: /share, proto: virtiofs}]"
	# NixOS has them in /run/current-system/sw/bin, as the handbook says.
	echo 'hostShell: /bin/bash'
	echo 'hostPath: [/usr/bin, /usr/sbin]'
	fast_kernel
} | compile runner "$probe" || finish

host_begin
state=/var/lib/microvms
check "systemd-sysusers makes the user" host systemd-sysusers
# Its virtiofsd has its own /tmp.
host mkdir /mvm
host mount --bind "$test_dir" /mvm
# As its install units do it.
host install -d -o microvm -g kvm -m 775 "$state" "$state/vm"
host ln -sTf /mvm/runner "$state/vm/current"
host chown -h microvm:kvm "$state/vm/current"
# shellcheck disable=SC2317 # check calls it
tap_gone() { host test ! -e /sys/class/net/mvm-one; }
# shellcheck disable=SC2317 # check calls it
unserved() { test "$(property ActiveState microvm-virtiofsd@vm)" = inactive; }

path=$(property Environment microvm@vm | grep -o 'PATH=[^ ]*')
for program in bash tar ip; do
	check "the units' PATH has no $program, for which hostShell and hostPath are given" \
		test -z "$(PATH=${path#PATH=}; type -P $program)"
done
check "the units' PATH has coreutils" test -n "$(PATH=${path#PATH=}; type -P ls)"
check "systemctl starts the VM" host systemctl start microvm@vm
pid=$(property MainPID microvm@vm)
if [ "$pid" = 0 ]; then
	host journalctl --no-pager -o cat -u 'microvm*' >"$log" 2>&1
	not_ok "the VM's unit has a process" "$log"
	finish
fi
check "the guest comes up" console_says 1 '^probe: ready'
check "the hypervisor runs as the VMs' user" test "$(host ps -o user= -p "$pid")" = microvm
check "the VM's tap is in use" test "$(host cat /sys/class/net/mvm-one/carrier)" = 1
check "the VM's share is served" test "$(property ActiveState microvm-virtiofsd@vm)" = active
check "booted leads to the runner" test "$(host readlink "$state/vm/booted")" = /mvm/runner
check "microvm -l lists the VM" \
	test "$(host "$top/build/microvm" -l --json | jq -r '.vms[].name')" = vm
host kill -KILL "$pid"
check "systemd starts the VM again after a crash" console_says 2 '^probe: ready'
check "systemctl stops the VM" host systemctl stop microvm@vm
check "the VM's unit ends with success" test "$(property Result microvm@vm)" = success
journal
expect "the guest went down by itself" "$log" '^probe: unmounted'
check "the tap is removed when the VM stops" wait_until tap_gone
check "the share is not served when the VM stopped" wait_until unserved
check "booted is removed when the VM stops" wait_until host test ! -e "$state/vm/booted"
check "no unit has failed" test -z "$(host systemctl --failed --plain --no-legend)"
finish

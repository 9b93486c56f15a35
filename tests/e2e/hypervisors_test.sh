#!/bin/bash
# SPDX-License-Identifier: MIT
# The other hypervisors that are installed, each with KVM in the lab: a guest that counts its boots on a volume, twice, and one that uses a tap and a
# vsock of the host's kernel. Debian has none of them; what is not in PATH, and cannot be had, is skipped. The guests boot Debian's cloud kernel, the
# smaller one.
set -u
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/nix.sh
. "$top/tests/e2e/nix.sh"
# shellcheck source=tests/e2e/lab.sh
. "$top/tests/e2e/lab.sh"
# shellcheck source=tests/e2e/cargo.sh
. "$top/tests/e2e/cargo.sh"
MVMBUILD=${MVMBUILD:-$top/build/mvmbuild}
need_programs nix-build busybox qemu-system-x86_64 ldd ip socat
# Not among them: StratoVirt, which finds no disks with a kernel of Debian's.
declare -A programs=([cloud-hypervisor]=cloud-hypervisor [firecracker]=firecracker [crosvm]=crosvm [kvmtool]=lkvm [alioth]=alioth)

# find_program NAME: prints where its program is, or why there is none.
find_program() {
	case $1 in
	alioth) cargo_tool alioth-cli alioth 0.12.0 ;;
	*) type -P "${programs[$1]}" || { echo "${programs[$1]} is not installed" && false; } ;;
	esac
}

installed=()
for name in "${!programs[@]}"; do
	if program=$(find_program "$name"); then
		installed+=("$name")
		programs[$name]=$program
	else
		skip "$name" "$program"
	fi
done
[ ${#installed[@]} != 0 ] || finish
kernel=$("$top/tests/e2e/kernel.sh" cloud-amd64) || { skip "all" "no kernel to boot"; finish; }
nix_env_setup "$test_dir/nix"
console=$test_dir/console
guest=$(nix_build "$top/tests/e2e/nix/volume-guest.nix" toplevel) || exit 1

stage_programs "$test_dir/guest-files" socat
net_guest=$(nix_build "$top/tests/e2e/nix/net-guest.nix" toplevel --argstr guestFiles "$test_dir/guest-files") || exit 1

# runner NAME TOPLEVEL: makes $test_dir/runners/NAME.
# shellcheck disable=SC2317 # check calls it
runner() {
	"$MVMBUILD" -q "$test_dir/$1.yaml" --set toplevel="$2" --set storeDir="$NIX_STORE_DIR" --set kernel="$kernel" -o "$test_dir/runners/$1"
}

# The others' vsocks are sockets of the hypervisor's own.
has_vhost_vsock() {
	case $1 in alioth | crosvm | kvmtool) ;; *) false ;; esac
}

mkdir "$test_dir/runners"
lab_stage "$test_dir/files" || exit 1
for name in "${installed[@]}"; do
	stage_programs "$test_dir/files" "${programs[$name]}" || exit 1
	cp -L "${programs[$name]}" "$test_dir/files/usr/bin/" # wherever it lies here
	cat >"$test_dir/$name.yaml" <<-E2
		hostName: $name
		hypervisor: $name
		mem: 256
		volumes: [{image: $name.img, mountPoint: /data, size: 16}]
	E2
	check "$name: it is compiled" runner "$name" "$guest"
	{
		echo "export MICROVM_KERNEL_PARAMS='quiet$([ "$name" != cloud-hypervisor ] || echo ' end=poweroff')'"
		echo "echo 'lab: start $name'"
		for _ in 1 2; do
			echo "timeout --foreground 60 \"\$runners/$name/bin/microvm-run\" </dev/null 2>&1 | sed 's/^/$name: /'"
			echo "echo \"lab: $name status \${PIPESTATUS[0]}\""
		done
	} >>"$test_dir/script"
done
for name in "${installed[@]}"; do
	has_vhost_vsock "$name" || continue
	cat >"$test_dir/$name-net.yaml" <<-E2
		hostName: $name-net
		hypervisor: $name
		mem: 256
		vsock: {cid: 42}
		interfaces: [{type: tap, id: tap0, mac: "02:00:00:00:00:01"}]
	E2
	check "$name: so is one with a tap and a vsock" runner "$name-net" "$net_guest"
	cat >>"$test_dir/script" <<-E2
		echo 'lab: start $name-net'
		mapfile -t flags <"\$runners/$name-net/share/microvm/tap-flags"
		ip tuntap add name tap0 mode tap "\${flags[@]}"
		ip address add 192.0.2.1/24 dev tap0
		ip link set tap0 up
		seq 100000 >file
		socat -u OPEN:file TCP-LISTEN:1024,reuseaddr &
		socat -U VSOCK-LISTEN:1024 EXEC:'echo hello' &
		timeout --foreground 60 "\$runners/$name-net/bin/microvm-run" </dev/null 2>&1 | sed 's/^/$name: /'
		echo "lab: $name-net status \${PIPESTATUS[0]}"
		kill %1 %2 2>/dev/null
		wait
		ip tuntap del name tap0 mode tap "\${flags[@]}"
	E2
done
lab_build "$test_dir" "$test_dir/runners" "$test_dir/script" || { not_ok "the lab is built"; finish; }
lab_run 800 "$console" "$test_dir"
for name in "${installed[@]}"; do
	expect "$name: the store disk is mounted" "$console" "^$name: volume: [^ ]+ $NIX_STORE_DIR squashfs ro"
	expect "$name: the volume is written" "$console" "^$name: volume: boot 1"
	expect "$name: and found again" "$console" "^$name: volume: boot 2"
	check "$name: both starts end well" test "$(grep -c "^lab: $name status 0" "$console")" = 2
	has_vhost_vsock "$name" || continue
	expect "$name: a file comes to the guest by the tap, whole" "$console" "^$name: net: file $(seq 100000 | sha256sum)"
	expect "$name: the host's words by the vsock" "$console" "^$name: net: vsock hello"
	expect "$name: that guest ends well, too" "$console" "^lab: $name-net status 0"
done
finish

#!/bin/bash
# SPDX-License-Identifier: MIT
# The other hypervisors that are installed, each with KVM in the lab: a guest that counts its boots on a volume, twice. Debian has none of them; what
# is not in PATH is skipped. The guest boots Debian's cloud kernel, the smaller one.
set -u
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/nix.sh
. "$top/tests/e2e/nix.sh"
# shellcheck source=tests/e2e/lab.sh
. "$top/tests/e2e/lab.sh"
MVMBUILD=${MVMBUILD:-$top/build/mvmbuild}
need_programs nix-build busybox qemu-system-x86_64 ldd
# Not among them: StratoVirt, which finds no disks with a kernel of Debian's.
declare -A programs=([cloud-hypervisor]=cloud-hypervisor [firecracker]=firecracker [crosvm]=crosvm [kvmtool]=lkvm [alioth]=alioth)
installed=()
for name in "${!programs[@]}"; do
	if command -v "${programs[$name]}" >/dev/null; then
		installed+=("$name")
	else
		skip "$name" "${programs[$name]} is not installed"
	fi
done
[ ${#installed[@]} != 0 ] || finish
kernel=$("$top/tests/e2e/kernel.sh" cloud-amd64) || { skip "all" "no kernel to boot"; finish; }
nix_env_setup "$test_dir/nix"
console=$test_dir/console
guest=$(nix_build "$top/tests/e2e/nix/volume-guest.nix" toplevel) || exit 1

mkdir "$test_dir/runners"
lab_stage "$test_dir/files" || exit 1
for name in "${installed[@]}"; do
	stage_programs "$test_dir/files" "${programs[$name]}" || exit 1
	cp -L "$(command -v "${programs[$name]}")" "$test_dir/files/usr/bin/" # wherever it lies here
	cat >"$test_dir/$name.yaml" <<-E2
		hostName: $name
		hypervisor: $name
		mem: 256
		volumes: [{image: $name.img, mountPoint: /data, size: 16}]
	E2
	check "$name: it is compiled" "$MVMBUILD" -q "$test_dir/$name.yaml" --set toplevel="$guest" --set storeDir="$NIX_STORE_DIR" --set kernel="$kernel" \
		-o "$test_dir/runners/$name"
	{
		echo "export MICROVM_KERNEL_PARAMS='quiet$([ "$name" != cloud-hypervisor ] || echo ' end=poweroff')'"
		echo "echo 'lab: start $name'"
		for _ in 1 2; do
			echo "timeout --foreground 60 \"\$runners/$name/bin/microvm-run\" </dev/null 2>&1 | sed 's/^/$name: /'"
			echo "echo \"lab: $name status \${PIPESTATUS[0]}\""
		done
	} >>"$test_dir/script"
done
lab_build "$test_dir" "$test_dir/runners" "$test_dir/script" || { not_ok "the lab is built"; finish; }
lab_run 500 "$console" "$test_dir"
for name in "${installed[@]}"; do
	expect "$name: the store disk is mounted" "$console" "^$name: volume: [^ ]+ $NIX_STORE_DIR squashfs ro"
	expect "$name: the volume is written" "$console" "^$name: volume: boot 1"
	expect "$name: and found again" "$console" "^$name: volume: boot 2"
	check "$name: both starts end well" test "$(grep -c "^lab: $name status 0" "$console")" = 2
done
finish

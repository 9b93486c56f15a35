#!/bin/bash
# SPDX-License-Identifier: MIT
# Boots a guest of another architecture: Debian's arm64 kernel under QEMU's emulation, with
# mvmbuild's stage 1 for aarch64.
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
# shellcheck source=tests/e2e/lib/nix.sh
. "$top/tests/e2e/lib/nix.sh"
mvmbuild=${MVMBUILD:-$top/build/mvmbuild}

[ "$(uname -m)" = x86_64 ] || skip_all "is for x86_64 machines"
need_programs nix-build qemu-system-aarch64 busybox
grep -aq mvm-init-aarch64 "$mvmbuild" ||
	skip_all "this mvmbuild was built without aarch64-linux-gnu-gcc"
kernel=$("$top/tests/e2e/lib/kernel.sh" cloud-arm64) || skip_all "apt has no arm64 kernel"

nix_env_setup "$test_dir/nix"
system=$(nix_build "$top/tests/e2e/lib/nix/aarch64-guest.nix" toplevel --argstr guestBusybox \
	"$kernel/bin/busybox") || exit 1
cd "$test_dir" || exit 1
cat >vm.yaml <<E
hostName: arm
toplevel: $system
storeDir: $NIX_STORE_DIR
kernel: $kernel
vcpu: 2
mem: 256
kernelParams: [quiet]
volumes: [{image: data.img, size: 32, mountPoint: /data}]
storeDisk: {verity: true}
E
check "a description with an arm64 kernel package compiles" "$mvmbuild" --no-cache vm.yaml -o runner
expect "QEMU is to emulate the guest" runner/bin/microvm-run '^add -M .*accel=tcg'
expect_no "the runner never asks for KVM" runner/bin/microvm-run 'with_kvm add|accel=kvm'
check "microvm-check finds nothing missing for an aarch64 guest" runner/bin/microvm-check

console=$test_dir/console
vm_run 60 "$console" '^aarch64: ' runner/bin/microvm-run
check "the aarch64 VM ends by itself with status 0" test $? = 0
expect "the guest's machine is aarch64" "$console" '^aarch64: machine aarch64'
expect "the aarch64 guest has its two store paths" "$console" '^aarch64: store 2 paths'
expect "the store disk is mounted through its hash tree" \
	"$console" '^aarch64: mount .*/store squashfs ro from /dev/mapper/store$'
expect "the aarch64 guest mounts its volume" "$console" '^aarch64: mount /data ext4 rw'
expect "the aarch64 guest runs to its end" "$console" '^aarch64: done'

vm_run 60 "$console" '^aarch64: ' runner/bin/microvm-run
expect "the volume keeps what an aarch64 guest wrote" "$console" '^aarch64: boot [2-9]'

# Debian's arm64 kernels lack pvpanic, so QEMU sees a panic as a reboot.
MICROVM_KERNEL_PARAMS=init=/no/init vm_run 60 "$console" '^stage1: giving up' runner/bin/microvm-run
check "an aarch64 guest that cannot boot ends by itself" test $? = 0
expect "its console says that the init cannot be started" \
	"$console" '^stage1: FAILED: cannot start the init /no/init'
# A runner for an aarch64 host, whose programs are for it.
machine_of() { od -An -tx1 -j 18 -N 2 "$1" | tr -d ' '; } # e_machine
echo 'hostSystem: aarch64-linux' >>vm.yaml
check "a runner for an aarch64 host compiles" "$mvmbuild" --no-cache vm.yaml -o for-host
check "its mvm-host is for aarch64" test "$(machine_of for-host/libexec/mvm-host)" = b700
expect "it tries KVM on its host" for-host/bin/microvm-run 'with_kvm add .*host'
if emulator=$(type -P qemu-aarch64-static || type -P qemu-aarch64); then
	check "mvm-host runs on its host" "$emulator" for-host/libexec/mvm-host accel
	expect "it finds no KVM there" "$test_dir/.check" '^tcg$'
else
	skip "mvm-host runs on its host" "qemu-user is not installed"
fi
finish

#!/bin/bash
# SPDX-License-Identifier: MIT
# Checks that a guest sees the machine that its description asks for, on both of QEMU's machines,
# and that the parts of the VM work.
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
guest_setup
probe=$(guest_build probe-guest) || exit 1
echo "the secret" >"$test_dir/secret, with a comma"

# sees DESCRIPTION REGEX: the guest printed it.
sees() { expect "$name: the guest sees $1" "$console" "^probe: $2\$"; }
sees_no() { expect_no "$name: the guest sees $1" "$console" "^probe: $2\$"; }

# The port on this machine that is forwarded to the guest.
port=$((20000 + $$ % 10000))

# answers: the guest's server answers at the forwarded port.
# shellcheck disable=SC2317 # check calls it
answers() {
	[ "$({ exec 3<>"/dev/tcp/127.0.0.1/$port" &&
		cat <&3; } 2>/dev/null)" = "hello from the guest" ]
}

everything() { # MACHINE
	cat <<E2
mem: 256
machineId: 8f3a2b1c-0d4e-4f5a-9b6c-7d8e9f0a1b2c
balloon: true
credentialFiles: {token: "$test_dir/secret, with a comma"}
interfaces: [{type: user, id: net0, mac: "02:00:00:00:00:77"}]
forwardPorts: [{host: {address: 127.0.0.1, port: $port}, guest: {port: 80}}]
volumes: [{image: data.img, size: 16, serial: the-data}]
qemu: {machine: $1}
E2
	fast_kernel
}

name=microvm
everything microvm | compile microvm "$probe" || finish
# shellcheck disable=SC2317 # wait_until calls it
is_taken() { ! "$test_dir/microvm/libexec/mvm-host" port tcp 127.0.0.1 "$port" >/dev/null; }
busybox nc -l -p "$port" >/dev/null </dev/null &
holder=$!
wait_until is_taken
for script in microvm-check microvm-run; do
	"$test_dir/microvm/bin/$script" >"$test_dir/log" 2>&1 </dev/null
	check "$script fails when another program has a forwarded port" test $? = 1
	expect "$script names the port" "$test_dir/log" \
		"forwardPorts: the tcp port $port of this machine cannot be used: Address in use"
done
kill "$holder"
check "microvm-check succeeds when the port is free" "$test_dir/microvm/bin/microvm-check"
boot_start microvm probe.do=report,serve probe.said=yes
if vm_wait_for '^probe: listening'; then
	check "$name: the guest answers at the forwarded port" wait_while_alive "$vm_pid" answers
else
	not_ok "$name: the guest comes up" "$console"
	vm_kill
fi
vm_wait
check "$name: the VM ends with status 0" test $? = 0
sees "one CPU" 'cpus 1'
sees "devices on virtio-mmio" 'device mmio .*'
sees_no "no device on PCI" 'device pci .*'
for driver in virtio_blk virtio_net virtio_balloon virtio_rng; do
	sees "$driver" "device mmio $driver"
done
sees_no "no device without a driver" 'device mmio '
sees "the random number device as a source" 'rng virtio_rng.0'
sees "the interface with its hardware address" 'interface eth0 02:00:00:00:00:77'
sees "the credential" 'credential token the secret'
sees "the store disk as read-only" 'disk mvm-store 1 .*'
sees "the machine id as a parameter" \
	'parameters .* systemd.machine_id=8f3a2b1c0d4e4f5a9b6c7d8e9f0a1b2c .*'
sees "the volume with its size" 'disk the-data 0 16384 KiB'
sees "the parameter of this start" 'parameters .* probe.said=yes .*'
sees "its own end" 'done'

name=q35
{ everything q35 | sed 's/^mem:.*/mem: 256\nvcpu: 2\nhotplugMem: 128\nhotpluggedMem: 64/'; } |
	compile q35 "$probe" || finish
boot q35 '^probe: '
ends_well "$name: the VM ends with status 0"
sees "two CPUs" 'cpus 2'
for driver in virtio_blk virtio_net virtio_balloon virtio_rng virtio_mem; do
	sees "$driver" "device pci $driver"
done
sees_no "no device without a driver" 'device pci '
sees "hotplugged memory" 'hotplugged 1'
sees_no "no parameter with the machine id, as there is an SMBIOS" \
	'parameters .*systemd.machine_id=.*'
sees "the machine id in the SMBIOS" 'uuid 8f3a2b1c-0d4e-4f5a-9b6c-7d8e9f0a1b2c'
sees "the credential" 'credential token the secret'
sees "the volume with its size" 'disk the-data 0 16384 KiB'
sees "its own end" 'done'

# PCI on the machine microvm, another CPU, another user, extra arguments, and every way to add code.
name=port
{
	cat <<E2
mem: 192
vcpu: 2
cpu: Nehalem
user: $([ "$(id -u)" = 0 ] && echo nobody || echo '~')
qemu:
  pcieRootPorts: [{id: port1, chassis: 1}]
  extraArgs: [-device, "virtio-rng-pci,id=more,bus=port1"]
preStart: echo "from preStart, in \$PWD"
extraArgsScript: echo -pidfile vm.pid
binScripts: {hello: 'echo "hello \$1"'}
E2
	fast_kernel
} | compile port "$probe" || finish
check "$name: a script of binScripts runs" test "$("$test_dir/port/bin/hello" you)" = "hello you"
chmod 755 "$test_dir"
mkdir "$test_dir/odd, dir"
mv "$test_dir/port" "$test_dir/odd, dir/port"
if [ "$(id -u)" = 0 ]; then chown -R nobody "$test_dir/state"; fi
boot_start "odd, dir/port" probe.do=free
vm_wait_for '^probe: free'
if [ "$(id -u)" = 0 ]; then
	check "$name: QEMU runs as the user of the description" \
		test "$(ps -o user= -p "$(cat vm.pid)")" = nobody
else
	skip "$name: QEMU runs as the user of the description" "not root"
fi
check "$name: seccomp is on" grep -q '^Seccomp:.*2' "/proc/$(cat vm.pid)/status"
check "$name: the process has the VM's name" grep -qz '^microvm@vm$' "/proc/$(cat vm.pid)/cmdline"
check "$name: microvm-shutdown works in a directory with a comma" \
	env MICROVM_SHUTDOWN_SECONDS=40 "$test_dir/odd, dir/port/bin/microvm-shutdown"
vm_wait
boot "odd, dir/port" '^probe: ' mvm.debug=1
ends_well "$name: the VM ends with status 0"
expect "$name: preStart runs in the state directory" \
	"$console" "^from preStart, in $test_dir/state\$"
started=$(sed -n 's/^stage1: \([0-9]*\) ms: the first stage started.*/\1/p' "$console")
ended=$(sed -n 's/^stage1: \([0-9]*\) ms: handing over.*/\1/p' "$console")
check "$name: stage 1 takes less than 30 s" test $((ended - started)) -lt 30000
echo "# first stage: $(stat -c %s "$test_dir/odd, dir/port/share/microvm/initrd") bytes, $((ended - started)) ms"
sees "two CPUs" 'cpus 2'
sees "the model of CPU" 'model .*Nehalem.*'
check "$name: the guest sees two random number devices" \
	test "$(grep -c '^probe: device pci virtio_rng$' "$console")" = 2
sees "its own end" 'done'

# A bzImage begins with real-mode code, which prints by the BIOS. "quiet" would silence it.
for machine in microvm q35; do
	name=bzImage-$machine
	printf 'kernel: %s\nqemu: {machine: %s}\n' "$kernel"/boot/vmlinuz-* $machine |
		compile "$name" "$probe" || finish
	vm_start "$limit" "$console" "$test_dir/$name/bin/microvm-run"
	check "$name: the kernel starts" vm_wait_for 'Linux version'
	vm_kill
	expect_no "$name: the console shows no line with each character twice" "$console" \
		'(.)\1(.)\2(.)\3(.)\4.*EE'
done

finish

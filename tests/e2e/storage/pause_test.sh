#!/bin/bash
# SPDX-License-Identifier: MIT
# Fills the host's disk under a volume: QEMU pauses the VM, the commands show it, and nothing is
# lost if there is room again when the VM is stopped. Also starts a VM in the background of a
# terminal.
set -u
# shellcheck source=tests/e2e/lib/own_mounts.sh
. "$(dirname "$0")/../lib/own_mounts.sh"
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
[ -n "${MVM_TEST_MOUNTS:-}" ] || skip_all "needs root, and mounts of its own"
need_programs debugfs dumpe2fs mount script
guest_setup
limit=240 # the guest waits on purpose
probe=$(guest_build probe-guest) || exit 1
log=$test_dir/log
{
	echo 'mem: 256'
	echo 'volumes: [{image: data.img, size: 32, mountPoint: /data}]'
	echo 'stage1: {modules: [button, evdev]}'
	fast_kernel
} | compile full "$probe" || finish
runner=$test_dir/full
state() { "$runner/libexec/mvm-host" state qmp vm.sock 2>/dev/null; }

mkdir -p "$test_dir/vms/vm"
mount -t tmpfs -o size=6m none "$test_dir/vms/vm" || skip_all "no tmpfs can be mounted"
cd "$test_dir/vms/vm" || exit
ln -s "$runner" current
boot_start full probe.do=init probe.fill=12
check "the guest comes up" vm_wait_for '^probe: ready'
# shellcheck disable=SC2317 # wait_while_alive calls it
is_paused() { [[ $(state) == paused* ]]; }
wait_while_alive "$vm_pid" is_paused
check "a full disk on the host pauses the VM" \
	test "$(state)" = 'paused: io-error, no room on the host for data.img'
"$runner/bin/microvm-check" >"$log" 2>&1
expect "microvm-check says that the VM is paused and why" "$log" \
	'^microvm-check: vm: the VM is already running, with the socket vm.sock, and is paused: io-error, no room on the host for data.img$'
"$(dirname "$mvmbuild")/microvm" --state-dir "$test_dir/vms" -l >"$log" 2>&1
expect "microvm -l says that the VM is paused and why" \
	"$log" ' paused .*paused: io-error, no room on the host for data.img'
"$(dirname "$mvmbuild")/microvm" --state-dir "$test_dir/vms" -l --json >"$log" 2>&1
expect "the list as JSON says that the VM is paused" "$log" '"paused": *"paused: io-error'

# The host gets room while the VM is being stopped.
MICROVM_SHUTDOWN_SECONDS=1200 "$runner/bin/microvm-shutdown" >"$log" 2>&1 &
shutdown=$!
wait_while_alive "$shutdown" grep -q 'resuming it' "$log"
expect "microvm-shutdown says that the VM is paused and why" "$log" \
	'vm.sock: the VM is paused: io-error, no room on the host for data.img; resuming it'
sleep 2.5
check "microvm-shutdown waits while the disk is full" kill -0 "$shutdown"
mount -o remount,size=64m "$test_dir/vms/vm"
wait "$shutdown"
check "the guest goes down by itself when the disk has room" test $? = 0
vm_wait
check "QEMU ends with status 0" test $? = 0
expect "the guest wrote its whole file" "$console" '^probe: filled$'
expect "the guest unmounted the volume" "$console" '^probe: unmounted'
yes 0123456789 | head -c $((12 << 20)) >"$test_dir/wanted"
debugfs -R "dump /big $test_dir/big" data.img >"$log" 2>&1
check "the file is in the volume undamaged" cmp "$test_dir/big" "$test_dir/wanted"
dumpe2fs -h data.img >"$log" 2>&1
expect "the volume is clean" "$log" '^Filesystem state: *clean$'
check "the VM is reported as stopped" test "$(state)" = stopped

# `microvm-run &` in a shell with a terminal.
cat >"$test_dir/shell" <<-E2
	set -m
	cd "$test_dir/state"
	"$runner/bin/microvm-run" &
	while kill -0 \$! 2>/dev/null; do
		case \$(sed 's/.*) //' /proc/\$!/stat 2>/dev/null) in T*) echo "the VM is stopped"; kill -9 \$!; exit ;; esac
		sleep 0.2
	done
	wait \$!
	echo "status \$?"
E2
MICROVM_KERNEL_PARAMS="quiet probe.do=report" timeout $((20 * limit)) script -qec \
	"bash $test_dir/shell" /dev/null </dev/null 2>&1 | tr -d '\r' >"$console"
expect "a VM in the background says that its console takes no input" \
	"$console" '^microvm-run: vm: running in the background; the guest.s console accepts no input'
expect "the console of a VM in the background is printed" "$console" '^probe: done'
expect "a VM in the background runs to its end" "$console" '^status 0$'
cd / && umount "$test_dir/vms/vm"
finish

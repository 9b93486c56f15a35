#!/bin/bash
# SPDX-License-Identifier: MIT
# Ends VMs in every way: guests that react to the power button, to Ctrl-Alt-Del or to nothing; a
# VM that is killed, started twice, or not there. Also balloons a running VM.
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
need_programs dumpe2fs
guest_setup
probe=$(guest_build probe-guest) || exit 1
log=$test_dir/log

# said DESCRIPTION STATUS REGEX COMMAND...: checks that the command has this exit status and prints
# a line that matches; with '' it must print nothing.
said() {
	local description=$1 wanted=$2 regex=$3 found=0
	shift 3
	"$@" >"$log" 2>&1 || found=$?
	if [ "$found" = "$wanted" ] && if [ -n "$regex" ]; then grep -Eq -e "$regex" \
		"$log"; else [ ! -s "$log" ]; fi; then
		ok "$description"
	else
		not_ok "$description (status $found, wanted $wanted and: $regex)" "$log"
	fi
}

# up DESCRIPTION SIGN: waits for a line of the console.
up() {
	if vm_wait_for "$2"; then ok "$1"; else not_ok "$1" "$console"; fi
}

# gone DESCRIPTION: the VM's process has ended. It does not matter whether `timeout` has waited for
# it yet (state Z).
gone() { check "$1" test -z "$(pgrep -r D,I,R,S,T -P "$vm_pid")"; }

# The free memory that the running guest printed last.
free_memory() { tr -d '\r' <"$console" | sed -n 's/^probe: free //p' | tail -n 1; }

clean() { # DESCRIPTION IMAGE
	dumpe2fs -h "$2" >"$log" 2>&1
	expect "$1" "$log" '^Filesystem state: *clean$'
	expect_no "$1 and its journal is empty" "$log" needs_recovery
}

{
	echo 'mem: 256'
	echo 'balloon: true'
	echo 'volumes: [{image: data.img, size: 16, mountPoint: /data}]'
	echo 'stage1: {modules: [button, evdev]}'
	fast_kernel
} | compile button "$probe" || finish
{
	echo 'volumes: [{image: data.img, size: 16, mountPoint: /data}]'
	fast_kernel
} | compile keys "$probe" || finish
{
	echo "credentialFiles: {token: $test_dir/no-token}"
	echo 'volumes: [{image: no.img, autoCreate: false}, {image: no/data.img, size: 16}]'
	echo 'qemu: {package: /no/qemu}'
	fast_kernel
} | compile lacking "$probe" || finish
button=$test_dir/button/bin
keys=$test_dir/keys/bin

# There is no VM.
said "microvm-shutdown fails when no VM runs, and prints where it looked" \
	1 "no VM is running here: nothing listens on $PWD/vm.sock; .*: microvm-shutdown DIRECTORY" \
	"$button/microvm-shutdown"
said "microvm-shutdown succeeds silently without a VM when systemd calls it" \
	0 '' env SERVICE_RESULT=success "$button/microvm-shutdown"
said "microvm-balloon fails when no VM runs, and prints where it looked" 1 \
	"no VM is running here: nothing listens on $PWD/vm.sock; .* microvm-balloon MIB DIRECTORY" \
	"$button/microvm-balloon" 64
for script in shutdown 'balloon 64' check; do
	said "microvm-$script names a state directory that does not exist" 1 \
		"^microvm-${script% *}: there is no directory /no/state" \
		env -C "$button" bash -c "./microvm-$script /no/state"
done
said "microvm-check finds a VM ready that can start" \
	0 '^microvm-check: vm: ready to start in ' "$button/microvm-check"
said "microvm-check fails for a VM that cannot start and names the credential" \
	1 'the credential .*no-token is missing' "$test_dir/lacking/bin/microvm-check"
expect "microvm-check names the hypervisor that is missing" \
	"$log" '/no/qemu/bin/qemu-system-x86_64 is not installed'
expect "microvm-check names the volume that is not created and missing" \
	"$log" 'the volume no.img is missing'
expect "microvm-check names the volume whose directory is missing" \
	"$log" 'the directory no of the volume no/data.img does not exist'
expect_no "microvm-check names nothing else" "$log" 'ready|vmlinux'
said "microvm-run names the first thing that is missing" 1 \
	'^microvm-run: vm: /no/qemu/bin/qemu-system-x86_64 is not installed' \
	"$test_dir/lacking/bin/microvm-run"

# The guest reacts to nothing, so the power is cut.
boot_start button probe.do=deaf
up "a guest that ignores every request comes up" '^probe: free'
before=$(free_memory)
said "the balloon takes memory" 0 '^96$' "$button/microvm-balloon" 96
# shellcheck disable=SC2317 # wait_while_alive calls it
memory_is_taken() { [ "$(free_memory)" -lt $((before - 60000)) ]; }
check "the balloon took memory from the guest, which had $before KiB free" \
	wait_while_alive "$vm_pid" memory_is_taken
said "the balloon gives the memory back, by a command from another directory" \
	0 '^0$' env -C / "$button/microvm-balloon" 0 "$PWD"
said "the balloon refuses more memory than the VM has" \
	2 'BALLOON_MIB must be a number' "$button/microvm-balloon" 256
said "a second start of a running VM is refused" \
	1 '^microvm-run: vm: the VM is already running, with the socket vm.sock$' \
		"$button/microvm-run"
said "microvm-check says that the VM runs" 1 'the VM is already running' "$button/microvm-check"
said "a guest that ignores the request to stop is cut off, status 3" \
	3 'did not shut down within 3 s; it was cut off' \
	env -C / MICROVM_SHUTDOWN_SECONDS=3 "$button/microvm-shutdown" "$PWD"
gone "QEMU has ended when a guest was cut off"
vm_wait
said "MICROVM_SHUTDOWN_SECONDS must be a number" \
	2 'SECONDS must be a number' env MICROVM_SHUTDOWN_SECONDS=soon "$button/microvm-shutdown"

# The leftovers of a killed VM do no harm.
boot_start keys probe.do=init
up "a guest that listens to the keyboard comes up" '^probe: ready'
kill -KILL "$(pgrep -f '^microvm@vm ' -P "$vm_pid")"
vm_wait
check "a killed VM leaves its socket behind" test -S vm.sock
said "microvm-shutdown sees that a killed VM has ended" \
	1 'no VM is running here' "$keys/microvm-shutdown"
said "a killed VM may start again" 0 '^microvm-check: vm: ready to start in ' "$keys/microvm-check"

boot_start keys probe.do=init
up "a guest comes up after a killed one" '^probe: ready'
# shellcheck disable=SC2317 # said calls it
shutdown_closed() { MICROVM_SHUTDOWN_SECONDS=80 "$keys/microvm-shutdown" <&-; }
said "Ctrl-Alt-Del stops a guest though standard input is closed" 0 '' shutdown_closed
gone "QEMU has ended when Ctrl-Alt-Del stopped the guest"
vm_wait
check "a VM stopped by Ctrl-Alt-Del ends with status 0" test $? = 0
expect "the guest received Ctrl-Alt-Del" "$console" '^probe: ctrl-alt-del'
expect "the guest unmounted its volume after Ctrl-Alt-Del" "$console" '^probe: unmounted'
clean "the volume is clean after Ctrl-Alt-Del" data.img

boot_start button probe.do=init
up "a guest that listens to the power button comes up" '^probe: ready'
# shellcheck disable=SC2317 # said calls it
shutdown_null() { MICROVM_SHUTDOWN_SECONDS=300 "$button/microvm-shutdown" </dev/null; }
since=$SECONDS
said "the power button stops a guest" 0 '' shutdown_null
gone "QEMU has ended when the power button stopped the guest"
check "microvm-shutdown returns long before it would cut the guest off" \
	test $((SECONDS - since)) -lt 200
vm_wait
check "a VM stopped by the power button ends with status 0" test $? = 0
expect "the guest received the power button" "$console" '^probe: power button'
expect_no "the guest received no Ctrl-Alt-Del beside it" "$console" 'ctrl-alt-del$'
clean "the volume is clean after the power button" data.img
check "the socket is gone after a clean end" test ! -e vm.sock

finish

#!/bin/bash
# SPDX-License-Identifier: MIT
# The ends of a VM: guests that listen to the power button, to Ctrl-Alt-Del, to nothing; a VM that is killed, started twice, or not there.
# And what else is done to a running VM.
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
need_programs dumpe2fs
guest_setup
probe=$(guest_build probe-guest) || exit 1
log=$test_dir/log

# said DESCRIPTION STATUS REGEX COMMAND...: its exit status, and a line of what it says; '': it says nothing.
said() {
	local description=$1 wanted=$2 regex=$3 found=0
	shift 3
	"$@" >"$log" 2>&1 || found=$?
	if [ "$found" = "$wanted" ] && if [ -n "$regex" ]; then grep -Eq -e "$regex" "$log"; else [ ! -s "$log" ]; fi; then
		ok "$description"
	else
		not_ok "$description (status $found, wanted $wanted and: $regex)" "$log"
	fi
}

# up DESCRIPTION SIGN: the VM has come so far.
up() {
	if vm_wait_for "$2"; then ok "$1"; else not_ok "$1" "$console"; fi
}

# gone DESCRIPTION: of the VM's processes there is none.
# A process that has ended, and that `timeout` did not ask for yet (state Z), is gone.
gone() { check "$1" test -z "$(pgrep -r D,I,R,S,T -P "$vm_pid")"; }

# What the running guest has said last.
free_memory() { tr -d '\r' <"$console" | sed -n 's/^probe: free //p' | tail -n 1; }

clean() { # DESCRIPTION IMAGE
	dumpe2fs -h "$2" >"$log" 2>&1
	expect "$1" "$log" '^Filesystem state: *clean$'
	expect_no "$1, its journal empty" "$log" needs_recovery
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

# No VM.
said "without a VM there is nothing to stop" 0 '' "$button/microvm-shutdown"
said "nor to balloon" 1 'no VM runs here' "$button/microvm-balloon" 64
said "a VM that can start is ready" 0 '^microvm-check: ready$' "$button/microvm-check"
said "a VM that cannot is told so" 1 'the credential .*no-token is missing' "$test_dir/lacking/bin/microvm-check"
expect "which lists all: QEMU" "$log" '/no/qemu/bin/qemu-system-x86_64 is not installed'
expect "the volume that nobody creates" "$log" 'the volume no.img is missing'
expect "the volume that cannot be created" "$log" 'there is no directory no for the volume no/data.img'
expect_no "and nothing else" "$log" 'ready|vmlinux'
said "its start says the first" 1 '^microvm-run: vm: /no/qemu/bin/qemu-system-x86_64 is not installed' "$test_dir/lacking/bin/microvm-run"

# Nothing helps: the power is cut.
boot_start button probe.do=deaf
up "a guest that wants to stay" '^probe: free'
before=$(free_memory)
said "the balloon takes memory" 0 '^96$' "$button/microvm-balloon" 96
# shellcheck disable=SC2317 # wait_while_alive calls it
memory_is_taken() { [ "$(free_memory)" -lt $((before - 60000)) ]; }
check "from the guest, which had $before KiB free" wait_while_alive "$vm_pid" memory_is_taken
said "and gives it back" 0 '^0$' "$button/microvm-balloon" 0
said "not more than there is" 2 'BALLOON_MIB is a number' "$button/microvm-balloon" 256
said "a second start is refused" 1 '^microvm-run: vm: the VM runs already, with the socket vm.sock$' "$button/microvm-run"
said "as the check says" 1 'the VM runs already' "$button/microvm-check"
said "a guest that does not listen is cut off, status 3" 3 'did not go down within 3 s: cut off' \
	env MICROVM_SHUTDOWN_SECONDS=3 "$button/microvm-shutdown"
gone "QEMU has ended then"
vm_wait
said "a wrong time is refused" 2 'SECONDS is a number' env MICROVM_SHUTDOWN_SECONDS=soon "$button/microvm-shutdown"

# Killed: what is left does no harm.
boot_start keys probe.do=init
up "a guest that listens to the keyboard" '^probe: ready'
kill -KILL "$(pgrep -f '^microvm@vm ' -P "$vm_pid")"
vm_wait
check "a killed VM leaves its socket" test -S vm.sock
said "but has ended" 0 '' "$keys/microvm-shutdown"
said "and may start again" 0 '^microvm-check: ready$' "$keys/microvm-check"

boot_start keys probe.do=init
up "a guest after that" '^probe: ready'
# shellcheck disable=SC2317 # said calls it
shutdown_closed() { MICROVM_SHUTDOWN_SECONDS=300 "$keys/microvm-shutdown" <&-; }
said "Ctrl-Alt-Del stops it; standard input is closed" 0 '' shutdown_closed
gone "QEMU has ended then"
vm_wait
check "with status 0" test $? = 0
expect "it was Ctrl-Alt-Del" "$console" '^probe: ctrl-alt-del'
expect "the volume was unmounted" "$console" '^probe: unmounted'
clean "the volume is clean" data.img

boot_start button probe.do=init
up "a guest that listens to the power button" '^probe: ready'
# shellcheck disable=SC2317 # said calls it
shutdown_null() { MICROVM_SHUTDOWN_SECONDS=300 "$button/microvm-shutdown" </dev/null; }
since=$SECONDS
said "the power button stops it" 0 '' shutdown_null
gone "QEMU has ended then"
check "long before the power would be cut" test $((SECONDS - since)) -lt 200
vm_wait
check "with status 0" test $? = 0
expect "it was the power button" "$console" '^probe: power button'
expect_no "and that alone" "$console" 'ctrl-alt-del$'
clean "the volume is clean" data.img
check "its socket is gone" test ! -e vm.sock

finish

#!/bin/bash
# SPDX-License-Identifier: MIT
# Tries to start a program on the host by QEMU's control socket: QEMU's sandbox forbids it. A
# sandbox in qemu.extraArgs replaces the default one.
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
need_programs socat pgrep
guest_setup
probe=$(guest_build probe-guest) || exit 1

# Asks QEMU to start a program by a migration into a command, through its control socket.
start_program() {
	rm -f started
	printf '%s\n' '{"execute":"qmp_capabilities"}' \
		"{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"exec:echo >$PWD/started; cat >/dev/null\"}}" |
		socat -t 5 - UNIX:vm.sock >"$test_dir/answer" 2>&1
}
# shellcheck disable=SC2317 # called by check, and in a loop
is_started() { [ -e started ]; }
sandboxes() { tr '\0' '\n' <"/proc/$(pgrep -P "$vm_pid")/cmdline" | grep -A 1 -x -e -sandbox; }

fast_kernel | compile strict "$probe" || finish
boot_start strict probe.do=report,free
check "a guest runs in the sandbox" vm_wait_for '^probe: free'
expect "the sandboxed guest has its devices" "$console" '^probe: device mmio virtio_blk'
sandboxes >"$test_dir/sandboxes"
expect "QEMU's sandbox denies all that it can" "$test_dir/sandboxes" \
	'^on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny$'
start_program
vm_wait
check "QEMU is killed when it is to start a program" test $? = 159 # 128 + SIGSYS
expect_no "the guest did not end by itself" "$console" '^probe: done'
check "QEMU started no program" test ! -e started

{ echo 'qemu: {extraArgs: [-sandbox, "on"]}' && fast_kernel; } | compile own "$probe" || finish
rm -f vm.sock # a killed QEMU leaves it
boot_start own probe.do=free
wait_while_alive "$vm_pid" test -S vm.sock
sandboxes >"$test_dir/sandboxes"
check "a sandbox of qemu.extraArgs is the only one" \
	test "$(paste -sd ' ' "$test_dir/sandboxes")" = '-sandbox on'
start_program
check "a sandbox of qemu.extraArgs may allow programs" wait_while_alive "$vm_pid" is_started
vm_kill
finish

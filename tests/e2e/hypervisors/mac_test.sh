#!/bin/bash
# SPDX-License-Identifier: MIT
# The script that is mvm-host on a Mac asks QEMU to end its VM, with what every Mac has: bash, curl
# and nc. The QEMU here is this machine's.
set -u
# shellcheck source=tests/e2e/lib/lib.sh
. "$(dirname "$0")/../lib/lib.sh"
need_programs qemu-system-x86_64 curl nc
nc -h 2>&1 | grep -q -e '-U' || skip_all "this nc has no option -U"
log=$test_dir/log host=$top/templates/runner/mvm-host-macos.sh
cd "$test_dir" || exit
# No guest runs in it, so that it ignores the power button.
qemu-system-x86_64 -M microvm,accel=tcg -m 64 -nodefaults -display none \
	-qmp unix:vm.sock,server=on,wait=off >"$log.qemu" 2>&1 </dev/null &
qemu=$!
wait_until test -S vm.sock
check "it finds a VM that runs" bash "$host" listens vm.sock
timeout 60 bash "$host" shutdown qmp vm.sock 1 >"$log" 2>&1
check "a VM that does not end is cut off" test $? = 3
expect "and the script says so" "$log" 'did not shut down within 1 s; it was cut off'
wait "$qemu"
check "QEMU ended by itself" test $? = 0
bash "$host" shutdown qmp vm.sock 1 >"$log" 2>&1
check "without a VM, there is nothing to shut down" test $? = 1
finish

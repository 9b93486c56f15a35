#!/bin/bash
# SPDX-License-Identifier: MIT
# Starts a VM without its unit, with `microvm -r` and with its runner's microvm-run: the list must
# show it, and it must not be removed while its guest runs.
# shellcheck disable=SC2317 # functions that check calls
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
# Root sees the open files of other users' processes; custody_test.sh tests other users' rights.
need_root
need_programs jq
guest_setup
probe=$(guest_build probe-guest) || exit 1
microvm=$(dirname "$mvmbuild")/microvm
state=$test_dir/vms log=$test_dir/log
export NO_COLOR=1
{
	echo "hostName: vm"
	echo "toplevel: $probe"
	echo "storeDir: $NIX_STORE_DIR"
	echo 'socket: vm.sock'
	echo 'volumes: [{image: data.img, size: 16, mountPoint: /data}]'
	fast_kernel
} >"$test_dir/vm.yaml"
m() { "$microvm" -q --state-dir "$state" "$@" >"$log" 2>&1; }
fails() { ! "$@"; }
is_listed() {
	[ "$("$microvm" --state-dir "$state" -l --json |
		jq -c '.vms[0] | [.running, .byHand]')" = "$1" ]
}
if m --cache "$test_dir/cache" -c vm -f "$test_dir/vm.yaml"; then
	ok "a VM is created"
else
	not_ok "a VM is created" "$log"
	finish
fi
check "the new VM does not run" is_listed '[false,false]'

runs_by_hand() { # HOW COMMAND...
	MICROVM_KERNEL_PARAMS='quiet probe.do=deaf' vm_start "$limit" "$console" "${@:2}"
	if vm_wait_for '^probe: free'; then
		ok "$1: the VM comes up"
	else
		not_ok "$1: the VM comes up" "$console"
		return
	fi
	check "$1: the list shows the VM as running" is_listed '[true,true]'
	"$microvm" --state-dir "$state" -l >"$log" 2>&1
	expect "$1: the list says that it runs by hand" \
		"$log" '^vm +by hand .*process [0-9]+, qemu'
	check "$1: the VM is not removed" fails m --remove vm
	expect "$1: the message has the reason and what to do" "$log" \
		"vm runs without its unit \\(process [0-9]+, qemu.*\\); stop it first: cd $state/vm && current/bin/microvm-shutdown"
	check "$1: the VM's socket is still there" test -S "$state/vm/vm.sock"
	check "$1: the VM is not removed with --volumes" fails m --remove vm --volumes
	check "$1: its volume and its runner are still there" \
		test -e "$state/vm/data.img" -a -x "$state/vm/current/bin/microvm-run"
	MICROVM_SHUTDOWN_SECONDS=3 "$state/vm/current/bin/microvm-shutdown" >"$log" 2>&1
	check "$1: microvm-shutdown finds its VM from another directory" test $? = 3
	vm_wait
	check "$1: the list shows the stopped VM as not running" is_listed '[false,false]'
}
runs_by_hand "microvm -r" "$microvm" --state-dir "$state" -r vm
in_directory() { cd "$state/vm" && exec ./current/bin/microvm-run; }
export -f in_directory
export state
runs_by_hand microvm-run bash -c in_directory
check "the stopped VM is removed" m --remove vm --volumes
check "nothing of the VM is left" test ! -e "$state/vm"
finish

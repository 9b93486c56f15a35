#!/bin/bash
# SPDX-License-Identifier: MIT
# Serves virtiofs shares with real virtiofsds, QEMU's own and the Rust one, as root and as another
# user: guests write only where they may. After the VM, a virtiofsd or their supervisor has ended,
# nothing is left, and the next start works.
# shellcheck disable=SC2317 # check and wait_until call the functions
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
# shellcheck source=tests/e2e/lib/cargo.sh
. "$top/tests/e2e/lib/cargo.sh"

# Prints the path of this kind of virtiofsd, or why it is missing.
daemon_find() { # KIND
	local candidate
	for candidate in $(type -P virtiofsd) /usr/libexec/virtiofsd /usr/lib/virtiofsd \
		/usr/lib/qemu/virtiofsd; do
		case "$1 $([ ! -x "$candidate" ] || "$candidate" --help 2>&1)" in
		rust*--shared-dir* | qemu*'-o source='*)
			echo "$candidate"
			return
			;;
		esac
	done
	if [ "$1" = rust ]; then
		cargo_tool virtiofsd virtiofsd 1.14.0 # it needs libcap-ng-dev and libseccomp-dev
		return
	fi
	echo "no virtiofsd of QEMU is installed"
	return 1
}

# This runs before the test sets HOME, as cargo may be in the user's.
declare -A programs=()
for kind in qemu rust; do
	programs[$kind]=$(daemon_find $kind) || programs[$kind]="none: ${programs[$kind]}"
done
guest_setup
need_programs socat setpriv pgrep
chmod 755 "$test_dir" # another user reads the runner
guest=$(guest_build share-guest) || exit 1
log=$test_dir/log
data="a, 'b'"

# Processes that this test started: every virtiofsd has the directory of its share in its arguments,
# and mvm-host has the runner in its name.
processes() { pgrep -f -- "(virtiofsd|mvm-host) .*$test_dir/" || true; }
sockets() { find . -name '*virtiofs*' -o -name '*.pid'; }
quiet() { [ -z "$(processes)$(sockets)" ]; }

nothing_is_left() {
	wait_until quiet || { pgrep -af -- "$test_dir/"; sockets; return 1; }
}

# The supervisor's arguments contain all directories, a daemon's only its own.
supervisor() { pgrep -f -- 'mvm-host virtiofsd .*'"$test_dir/" | head -n 1; }
daemons_of() { # DIRECTORY
	pgrep -f -- "virtiofsd .*$PWD/$1" | while read -r process
	do [ "$process" = "$(supervisor)" ] || echo "$process"
	done
}

# user_set NAME: sets the words that run a command as that user.
user_set() {
	user=$1
	as_user=()
	if [ "$user" = nobody ]; then
		as_user=(setpriv --reuid 65534 --regid 65534 --clear-groups)
	fi
}

state_make() {
	rm -rf "$test_dir/state-$1"
	mkdir "$test_dir/state-$1"
	cd "$test_dir/state-$1" || exit 1
	mkdir "$data" seed
	echo hello >seed/file
	if [ "$user" = nobody ]; then chown -R 65534:65534 .; fi
}

run_vm() { # [PARAMETER]...
	MICROVM_KERNEL_PARAMS="quiet $*" vm_start "$limit" "$console" "${as_user[@]}" \
		"$runner/bin/microvm-run"
}

linger() { # DESCRIPTION
	run_vm linger
	if vm_wait_for '^share: lingers'; then return; fi
	not_ok "$1: the guest comes up" "$console"
	vm_kill
	return 1
}

served() {
	check "$1: a VM starts whose shares nobody serves yet" run_to_end
	expect "$1: the guest writes to a share" "$console" '^share: wrote boot 1'
	check "$1: the host sees what the guest wrote" grep -qx 'boot 1' "$data/boots"
	expect "$1: in the guest a new file belongs to root" \
		"$console" '^share: owner of a new file: 0:0'
	check "$1: on the host it belongs to the user who serves" \
		test "$(stat -c %U "$data/boots")" = "$user"
	expect "$1: the guest reads another share" "$console" '^share: seed: hello'
	expect "$1: the guest cannot write to a read-only share" \
		"$console" '^share: /seed is read-only'
	expect_no "$1: nothing fails in the guest" "$console" '^share: FAILED'
	check "$1: the read-only share is as it was" test "$(cat seed/*)" = hello
	expect_no "$1: virtiofsd prints nothing on the console" "$console" '^(data|seed): '
	check "$1: no process and no socket is left after the VM" nothing_is_left
}
run_to_end() {
	local vm_before=''
	MICROVM_KERNEL_PARAMS=quiet vm_run "$limit" "$console" '^share: ' "${as_user[@]}" \
		"$runner/bin/microvm-run"
}

killed() {
	local process
	linger "$1" || return
	process=$(pgrep -P "$vm_pid") # of timeout
	kill -KILL "$process"
	vm_wait
	check "$1: no process and no socket is left of a VM that was killed" nothing_is_left

	linger "$1" || return
	kill -KILL "$(daemons_of seed | tail -n 1)"
	check "$1: all daemons end when one virtiofsd dies" nothing_is_left
	expect "$1: the console names the share whose virtiofsd died" \
		"$console" 'the share seed: virtiofsd (was killed|exited with status)'
	vm_kill

	linger "$1" || return
	kill -KILL "$(supervisor)"
	no_processes() { [ -z "$(processes)" ]; }
	check "$1: all daemons end when their supervisor is killed" wait_until no_processes
	vm_kill
	check "$1: their sockets are still there" test -S vm-virtiofs-data.sock
	check "$1: the next start replaces these sockets" run_to_end
	check "$1: no process and no socket is left after that start" nothing_is_left
}

has_ended() { ! kill -0 "$1" 2>/dev/null; }
# ends PROCESS: waits for a child that is about to end, and returns its status.
ends() {
	wait_until has_ended "$1" || kill -KILL "$1"
	wait "$1"
}

second_is_refused() { ! "${as_user[@]}" "$runner/bin/virtiofsd-run" >"$log.second" 2>&1; }

# The host's unit runs it in this way: with Type=notify, and the VM under another process.
unit() {
	local server second boots
	socat -u "UNIX-RECV:$test_dir/notify" "OPEN:$test_dir/told,creat,append" &
	second=$!
	wait_until test -S "$test_dir/notify"
	chmod 666 "$test_dir/notify"
	: >"$test_dir/told"
	if [ "$user" = root ]; then chgrp 1 . && chmod 1775 .; fi
	NOTIFY_SOCKET=$test_dir/notify "${as_user[@]}" "$runner/bin/virtiofsd-run" >"$log" 2>&1 \
		</dev/null &
	server=$!
	check "$1: virtiofsd-run reports when it is ready" \
		wait_until grep -q READY=1 "$test_dir/told"
	check "$1: there is a socket for each share then" \
		test "$(sockets | sort |
			paste -sd ' ')" = './vm-virtiofs-data.sock ./vm-virtiofs-seed.sock'
	check "$1: a second virtiofsd-run is refused" second_is_refused
	expect "$1: the message says that the share is served already" "$log.second" \
		'the share data: the socket vm-virtiofs-data.sock: another process serves it already'
	if [ "$user" = root ]; then
		check "$1: the group of the VM's directory may connect" \
			test "$(stat -c %a:%g vm-virtiofs-data.sock)" = 660:1
	fi
	boots=$(wc -l <"$data/boots")
	check "$1: a VM uses the served shares" run_to_end
	check "$1: its guest wrote to a share" test "$(wc -l <"$data/boots")" = $((boots + 1))
	ends "$server"
	check "$1: virtiofsd-run ends with status 0 after the VM" test $? = 0
	expect "$1: virtiofsd-run passes on what virtiofsd prints" \
		"$log" '^data: .*Waiting for vhost-user'
	check "$1: no process and no socket is left after virtiofsd-run" nothing_is_left

	NOTIFY_SOCKET=$test_dir/notify "${as_user[@]}" "$runner/bin/virtiofsd-run" >"$log" 2>&1 \
		</dev/null &
	server=$!
	: >"$test_dir/told"
	wait_until grep -q READY=1 "$test_dir/told"
	kill -TERM "$server"
	ends "$server"
	check "$1: virtiofsd-run ends with status 0 on SIGTERM" test $? = 0
	check "$1: virtiofsd-run reports that it stops" \
		wait_until grep -q STOPPING=1 "$test_dir/told"
	check "$1: no process and no socket is left after SIGTERM" nothing_is_left
	kill "$second"
	wait "$second" 2>/dev/null
}

for kind in qemu rust; do
	program=${programs[$kind]}
	if [ "${program#none: }" != "$program" ]; then
		skip "$kind" "${program#none: }"
		continue
	fi
	package=$test_dir/$kind-package
	mkdir -p "$package/bin"
	cp "$program" "$package/bin/virtiofsd"
	{
		echo "shares:"
		echo "  - {tag: data, proto: virtiofs, source: \"$data\", mountPoint: /data}"
		echo "  - {tag: seed, proto: virtiofs, source: seed, mountPoint: /seed, readOnly: true}"
		echo "virtiofsd: {package: \"$package\"}"
		fast_kernel
	} | compile "$kind" "$guest" || finish
	runner=$test_dir/$kind
	for user in root nobody; do
		if [ "$user" = nobody ] && [ "$(id -u)" != 0 ]; then continue; fi
		if [ "$(id -u)" != 0 ]; then user=$(id -un); fi
		user_set "$user"
		if [ "$user" != root ] && ! "${as_user[@]}" unshare --user --map-root-user true \
			2>/dev/null; then
			skip "$kind as $user" "this user gets no user namespace"
			continue
		fi
		state_make "$kind-$user"
		served "$kind as $user"
		killed "$kind as $user"
		unit "$kind as $user"
	done
done

# This uses the virtiofsd that was found last.
[ -n "${package:-}" ] || finish
user_set "$(id -un)"
state_make wrong
rm -r seed
"$runner/bin/microvm-check" >"$log" 2>&1 </dev/null
expect "microvm-check names a share's source that is missing" \
	"$log" 'the share seed: the directory seed does not exist'
"$runner/bin/microvm-run" >"$log" 2>&1 </dev/null
check "microvm-run fails when a share's source is missing" test $? = 1
expect "microvm-run names a share's source that is missing" \
	"$log" 'the share seed: the directory seed does not exist'
mkdir seed
# shellcheck disable=SC2016 # the script's own
printf '#!/bin/sh\ncase $1 in --help) echo "--shared-dir" ;; *) echo "what a pity" >&2; exit 7 ;; esac\n' >"$package/bin/virtiofsd"
"$runner/bin/microvm-run" >"$log" 2>&1 </dev/null
check "microvm-run fails when a virtiofsd fails" test $? = 1
expect "microvm-run names the share and virtiofsd's status" \
	"$log" 'the share (data|seed): virtiofsd exited with status 7 before it was ready'
expect "microvm-run prints what virtiofsd printed" "$log" '^(data|seed): what a pity'
rm "$package/bin/virtiofsd"
"$runner/bin/microvm-check" >"$log" 2>&1 </dev/null
expect "microvm-check says that no virtiofsd is installed" "$log" 'virtiofsd is not in '
check "no process and no socket is left at the end" nothing_is_left
finish

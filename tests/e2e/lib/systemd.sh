# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Provides a host with a real systemd as PID 1, in its own namespaces, over this machine's file
# system. Source it after guest.sh, as root. Its changes vanish with it; $test_dir is the same
# inside and outside. Tests set the name of the file $log.

# shellcheck source=tests/e2e/lib/lib.sh
[ -n "${top:-}" ] || . "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

host_units=$test_dir/host-units
# host_target [LINE]...: the host boots into this target, with further lines for its section [Unit].
# shellcheck disable=SC2120 # some tests have further lines
host_target() {
	printf '%s\n' '[Unit]' 'Description=What the test needs' 'Requires=basic.target' \
		'After=basic.target' 'AllowIsolate=yes' "$@" \
		>"$host_units/etc/systemd/system/mvm-test.target"
}
mkdir -p "$host_units/etc/systemd/system"
# shellcheck disable=SC2119
host_target

# host_install_units: puts the units of make install-systemd into the host.
# shellcheck disable=SC2154 # the test's
host_install_units() {
	make -s -C "$top" install-systemd DESTDIR="$host_units" >"$log" 2>&1 && return
	not_ok "make install-systemd installs the units" "$log"
	finish
}

# host_start: boots the host. The caller has put further units into $host_units; the host starts
# only those that its target wants and what they require.
host_start() {
	# systemd wants a terminal for its console.
	script -qefc \
		"exec unshare -m -- bash '$top/tests/e2e/lib/systemd_inside.sh' '$test_dir' '$host_units' '$top'" /dev/null \
		</dev/null >"$test_dir/host-console" 2>&1 &
	host_script=$!
	wait_while_alive "$host_script" host_is_up
}
# host_begin: starts the host and reports it; the host stops when the test ends. Ends a test whose
# host does not start.
host_begin() {
	if ! host_start; then
		not_ok "systemd runs" "$test_dir/host-console"
		host_stop
		finish
	fi
	ok "systemd runs"
	# shellcheck disable=SC2034 # lib.sh calls it
	at_end=host_stop
}
host_is_up() {
	local parent=$host_script child
	for child in systemd_inside.sh unshare ''; do
		parent=$(pgrep -P "$parent" -f "$child" 2>/dev/null) || return
	done
	host_pid=$parent
	[ "$(cat "/proc/$host_pid/comm" 2>/dev/null)" = systemd ] || return
	host systemctl is-system-running --wait >"$test_dir/host-state" 2>&1 ||
		grep -Eq 'degraded|running' "$test_dir/host-state"
}

# host COMMAND...: runs the command on that host.
host() {
	nsenter -t "$host_pid" -m -p -u -i -n -C --root -- env -i -C / \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@"
}

# host_reboot: reboots the host with systemctl, as a user would, and waits until it is up again. The
# contents of /run and the interfaces are lost.
host_reboot() {
	local before=$host_pid
	host systemctl reboot >/dev/null 2>&1
	wait_while_alive "$host_script" host_has_gone "$before" &&
		wait_while_alive "$host_script" host_is_up
}
host_has_gone() { ! kill -0 "$1" 2>/dev/null; }

host_stop() {
	[ -z "${host_pid:-}" ] || kill -KILL "$host_pid" 2>/dev/null
	wait "$host_script" 2>/dev/null
	host_pid=
}

property() { host systemctl show -P "$1" "$2"; }
# Writes the console of a unit's VM (microvm@vm) so far to $log.
# shellcheck disable=SC2154 # the test's
journal() { host journalctl --no-pager -o cat -u "${1:-microvm@vm}" >"$log" 2>&1; }
# Waits until N lines of its console match.
console_says() { # N REGEX [UNIT]
	poll=0.5 wait_until console_has "$@" # journalctl is slow
}
console_has() { journal "${3:-microvm@vm}" && [ "$(grep -Ec -e "$2" "$log")" -ge "$1" ]; }

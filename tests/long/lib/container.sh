# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Runs a separate Debian in namespaces, with systemd as its PID 1. Source it after e2e/lib/lib.sh,
# as root.

# shellcheck source=tests/e2e/lib/lib.sh
[ -n "${top:-}" ] || . "$(dirname "${BASH_SOURCE[0]}")/../../e2e/lib/lib.sh"

# fresh_root SUITE DIR: copies a minimal Debian to DIR. debootstrap makes it once, in build/fresh.
fresh_root() {
	local made=${MVM_FRESH_CACHE:-$top/build/fresh}/$1
	if [ ! -d "$made" ]; then
		mkdir -p "${made%/*}"
		rm -rf "$made.part"
		debootstrap --variant=minbase --include=systemd-sysv "$1" "$made.part" &&
			mv "$made.part" "$made" || return
	fi
	cp -a --reflink=auto "$made" "$2" && cp /etc/resolv.conf "$2/etc/" &&
		# A login on the console would hang up the terminal.
		ln -s /dev/null "$2/etc/systemd/system/console-getty.service"
}

# container_start ROOT: boots it; its console is $test_dir/container-console.
container_start() {
	# systemd wants a terminal for its console.
	script -qefc "exec unshare -m -p -f -u -i -n -C --kill-child -- \
		bash '$top/tests/long/lib/container_inside.sh' '$1'" /dev/null \
		</dev/null >"$test_dir/container-console" 2>&1 &
	container_script=$!
	wait_while_alive "$container_script" container_is_up
}
container_is_up() {
	container_pid=$(pgrep -P "$(pgrep -P "$container_script" unshare)" 2>/dev/null) &&
		[ -n "$container_pid" ] || return
	[ "$(cat "/proc/$container_pid/comm" 2>/dev/null)" = systemd ] || return
	container true systemctl is-system-running --wait >"$test_dir/container-state" 2>&1 ||
		grep -Eq 'degraded|running' "$test_dir/container-state"
}

# container OWN_NETWORK COMMAND...: runs the command in it, with its own network (true) or with this
# machine's (false), from which packages can be downloaded.
container() {
	local -a network=(-n)
	if ! "$1"; then network=(); fi
	nsenter -t "$container_pid" -m -p -u -i -C "${network[@]}" --root -- env -i -C / \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		HOME=/root "${@:2}"
}

# container_off: shuts it down, as `systemctl poweroff` does, and waits until it has ended.
container_off() {
	[ -n "${container_pid:-}" ] || return 0
	container true systemctl poweroff >/dev/null 2>&1
	wait_until container_is_off || kill -KILL "$container_pid" 2>/dev/null
	wait "$container_script" 2>/dev/null
	container_pid=
}
container_is_off() { [ ! -e "/proc/$container_pid" ]; }

# Finds the process that has an interface open. Such an interface is never removed.

# An interface that the host makes may come late when the host boots. MICROVM_LINK_SECONDS is how
# long to wait for it.
wait_for_link() { # PATH WHAT
	local tries=$((${MICROVM_LINK_SECONDS:-0} * 5))
	if [ -e "$1" ] || [ "$tries" = 0 ]; then return; fi
	echo "waiting up to $MICROVM_LINK_SECONDS seconds for $2" >&2
	while [ "$tries" -gt 0 ] && [ ! -e "$1" ]; do
		sleep 0.2
		tries=$((tries - 1))
	done
}

name_process() { # PROCESS
	local name=
	read -r name <"/proc/$1/comm" || true
	echo "${name:-a program} (process $1)"
}

# An open tap has a carrier, which can only be read while the interface is up.
tap_is_open() { # NAME
	local device=/sys/class/net/$1 carrier was_up
	was_up=$(($(cat "$device/flags") & 1))
	[ "$was_up" = 1 ] || ip link set dev "$1" up
	carrier=$(cat "$device/carrier")
	[ "$was_up" = 1 ] || ip link set dev "$1" down
	[ "$carrier" = 1 ]
}

# tun.c writes the interface's name to /proc/PROCESS/fdinfo/FILE. Reading it needs capabilities that
# a unit lacks.
tap_holder() { # NAME: fails if no process is found
	local file text process
	for file in /proc/[0-9]*/fdinfo/*; do
		text=
		{ IFS= read -r -d '' text <"$file"; } 2>/dev/null || true
		if [[ $text == *$'\niff:\t'"$1"$'\n'* ]]; then
			process=${file#/proc/}
			name_process "${process%%/*}"
			return
		fi
	done
	return 1
}
tap_holder_or_how() { # NAME
	tap_holder "$1" || echo "another process (\"grep -ls 'iff:.*$1' /proc/*/fdinfo/*\" as root finds it)"
}

# A macvtap is used through its device file; there is no other sign that it is open.
macvtap_holder() { # NAME: fails if no process is found
	local process links file
	file=/dev/tap$(cat "/sys/class/net/$1/ifindex")
	for process in /proc/[0-9]*; do
		links=$(readlink -- "$process"/fd/* 2>/dev/null) || true
		if [[ $'\n'$links$'\n' == *$'\n'"$file"$'\n'* ]]; then
			name_process "${process#/proc/}"
			return
		fi
	done
	return 1
}

# Whether the files of other users' processes are visible, which needs CAP_SYS_PTRACE and
# CAP_DAC_READ_SEARCH or CAP_DAC_OVERRIDE. A unit lacks them.
sees_files() {
	local key value
	while read -r key value; do
		if [ "$key" = CapEff: ]; then break; fi
	done </proc/self/status
	[ $((16#$value >> 19 & 1)) = 1 ] && [ $((16#$value & 6)) != 0 ]
}

# mvm-host: helper of a runner's scripts on a Mac. It is a script for bash 3.2 and curl, which every
# Mac has, instead of a program.
#   mvm-host listens SOCKET                  whether a process listens there, as the exit status
#   mvm-host volume check IMAGE MIB TYPE     whether an existing image has this size, which a Mac
#                                            has no tool to change
#   mvm-host volume grow IMAGE MIB TYPE      the same as check
#   mvm-host foreground                      whether this process may use its terminal
#   mvm-host volume whole|direct IMAGE       nothing
#   mvm-host volume free IMAGE read|write    nothing: macOS locks the disks of its VMs itself
#   mvm-host volume create IMAGE archive FILE | mkfs MIB PROGRAM [ARGUMENT]...
#                                            creates an image that does not exist, in one step
#   mvm-host shutdown vfkit|qmp SOCKET SECONDS
#                                            asks the guest to shut down, and cuts it off after
#                                            SECONDS (status 3)
set -euo pipefail
cut_off_seconds=10

complain() { echo "mvm-host: $*" >&2; }

# Reads or changes the state of the VM. curl's status is 7 if no process listens.
ask() { # SOCKET [STATE]
	curl --silent --show-error --fail --max-time 5 --output /dev/null --unix-socket "$1" \
		${2:+--header 'Content-Type: application/json' --data "{\"state\":\"$2\"}"} \
			http://vfkit/vm/state 2>/dev/null
}

listens() { # SOCKET
	local status=0
	if [ ! -S "$1" ]; then return 1; fi
	ask "$1" || status=$?
	[ "$status" != 7 ]
}

is_paused() { # SOCKET
	local state
	state=$(curl --silent --fail --max-time 5 --unix-socket "$1" http://vfkit/vm/state \
		2>/dev/null) || true
	case $state in *VirtualMachineStatePaused*) true ;; *) false ;; esac
}

wait_for_end() { # SOCKET SECONDS
	local end=$((SECONDS + $2))
	while listens "$1"; do
		if [ "$SECONDS" -ge "$end" ]; then return 1; fi
		sleep 0.2
	done
}

shutdown_vfkit() { # SOCKET SECONDS
	if ! listens "$1"; then
		complain "no VM is running here: nothing listens on $1 in $PWD; for a VM in another state directory, run: microvm-shutdown DIRECTORY"
		return 1
	fi
	# A paused VM does not react until it is resumed.
	if is_paused "$1"; then
		complain "$1: the VM is paused; resuming it"
		ask "$1" Resume || true
	fi
	ask "$1" Stop || complain "$1: cannot ask the guest to stop"
	if wait_for_end "$1" "$2"; then return 0; fi
	ask "$1" HardStop || true
	if ! wait_for_end "$1" "$cut_off_seconds"; then
		complain "$1: vfkit did not exit within $cut_off_seconds s of the request; kill it"
		return 1
	fi
	complain "$1: the guest did not shut down within $2 s; it was cut off"
	return 3
}

# Sends commands to QEMU's control socket, which answers one client at a time.
tell_qemu() { # SOCKET COMMAND...
	local socket=$1
	shift
	{ printf '{"execute":"%s"}\n' qmp_capabilities "$@" && sleep 1; } |
		nc -w 2 -U "$socket" >/dev/null 2>&1 || true
}

# The power button, and then the end.
shutdown_qmp() { # SOCKET SECONDS
	if ! listens "$1"; then
		complain "no VM is running here: nothing listens on $1 in $PWD; for a VM in another state directory, run: microvm-shutdown DIRECTORY"
		return 1
	fi
	# A paused VM does not react until it is resumed.
	tell_qemu "$1" cont system_powerdown
	if wait_for_end "$1" "$2"; then return 0; fi
	tell_qemu "$1" quit
	if ! wait_for_end "$1" "$cut_off_seconds"; then
		complain "$1: QEMU did not exit within $cut_off_seconds s of the request; kill it"
		return 1
	fi
	complain "$1: the guest did not shut down within $2 s; it was cut off"
	return 3
}

has_size() { # IMAGE MIB TYPE
	local bytes
	if [ ! -f "$1" ]; then return 0; fi
	bytes=$(stat -L -f %z -- "$1")
	if [ "$bytes" = $(($2 * 1048576)) ]; then return 0; fi
	complain "the volume $1 has $((bytes / 1048576)) MiB, but $2 in the description; a volume's size cannot change on macOS"
	return 1
}

# The terminal may have only one of two processes in its foreground; without a terminal there is no
# restriction.
is_foreground() {
	local group terminal
	read -r group terminal < <(ps -o pgid=,tpgid= -p $$) || return 0
	case $terminal in 0 | -1) return 0 ;; esac
	[ "$group" = "$terminal" ]
}

# A start that was killed leaves IMAGE.new.PROCESS.
remove_leftovers() { # IMAGE
	local leftover
	for leftover in "$1".new.*; do
		case ${leftover##*.} in *[!0-9]*) continue ;; esac
		if [ ! -O "$leftover" ] || [ -L "$leftover" ] || [ ! -d "$leftover" ] ||
			kill -0 "${leftover##*.}" 2>/dev/null; then
			continue
		fi
		rm -f -- "$leftover/image"
		rmdir -- "$leftover" 2>/dev/null || true
	done
}

# Changes directory in a subshell, because tar interprets backslashes in the argument of -C.
make_image() { # archive FILE | mkfs MIB PROGRAM [ARGUMENT]...
	local kind=$1 mib=$2
	shift 2
	if [ "$kind" = archive ]; then
		(cd -- "$temporary" && tar -xzf "$mib" --no-same-owner)
	else
		(umask 077 && dd if=/dev/zero of="$temporary/image" bs=1048576 count=0 \
			seek="$mib" 2>/dev/null) &&
			PATH=$PATH:/usr/sbin:/sbin "$@" "$temporary/image" >&2
	fi
}

# Makes a link instead of renaming: if another start was faster, its image is kept. (macOS has no ln
# -T.)
create() { # IMAGE archive FILE | IMAGE mkfs MIB PROGRAM [ARGUMENT]...
	local image=$1
	shift
	remove_leftovers "$image"
	if [ -e "$image" ]; then return 0; fi
	case $image in /*) temporary=$image.new.$$ ;; *) temporary=./$image.new.$$ ;; esac
	mkdir -m 700 -- "$temporary" || return
	trap 'rm -rf -- "$temporary"' EXIT
	make_image "$@" || return
	sync
	ln -- "$temporary/image" "$image" || [ -e "$image" ]
}

status=0
case "$#:${1:-} ${2:-}" in
"1:foreground ") is_foreground || status=$? ;;
"2:listens "*) listens "$2" || status=$? ;;
"5:volume check" | "5:volume grow") has_size "$3" "$4" "$5" || status=$? ;;
"4:volume free" | "3:volume whole" | "3:volume direct") ;;
[5-9]:"volume create" | [1-9][0-9]:"volume create") shift 2 && create "$@" || status=1 ;;
"4:shutdown vfkit") shutdown_vfkit "$3" "$4" || status=$? ;;
"4:shutdown qmp") shutdown_qmp "$3" "$4" || status=$? ;;
*)
	complain "usage: mvm-host foreground | mvm-host listens SOCKET | mvm-host volume check|grow IMAGE MIB TYPE | mvm-host volume create IMAGE ... |" \
		"mvm-host shutdown vfkit|qmp SOCKET SECONDS"
	status=2
	;;
esac
exit "$status"

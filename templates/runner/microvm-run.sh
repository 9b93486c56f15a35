# microvm-run: starts the VM, from the state directory: relative paths are relative to the current directory.
#   MICROVM_ACCEL=kvm|tcg          forces the accelerator
#   MICROVM_KERNEL_PARAMS='a b=c'  further kernel parameters, for this start
#   MICROVM_USER=NAME              as root: who runs the VM otherwise, and so has volumes
# Some functions are for what other VMs have; values stand in single quotes, whatever is in them:
# shellcheck disable=SC2317,SC2016
set -euo pipefail
# The hypervisor's console is 0 and 1; closed, its own files would get these numbers.
# (macOS has no /proc, and a small /dev no fd.)
for fd in 0 1 2; do [ -e "/proc/self/fd/$fd" ] || [ -e "/dev/fd/$fd" ] || eval "exec $fd<>/dev/null"; done
@path@
runner=$(dirname -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")")
program=microvm-run
name=@name@
arch=@arch@
missing() { exit 1; }

@state@
@functions@
fail() { complain "$@"; }

# An image that is not there; one that is there is never touched.
create_volume() { # IMAGE archive FILE | IMAGE mkfs MIB PROGRAM [ARGUMENT]...
	"$runner/libexec/mvm-host" volume create "$@" || fail "cannot create the volume $1"
}

# For a hypervisor that takes no lock: it inherits this descriptor, and with it ours. Opened for writing by way of the first one, an image is never made.
locked=' '
lock_volume() { # DESCRIPTOR IMAGE read|write
	if [ ! -e "$2" ] || [[ $locked = *" $1 "* ]]; then return; fi
	eval "exec $1<\"\$2\""
	if [ "$3" = write ]; then eval "exec $1<>/proc/self/fd/$1"; fi
	"$runner/libexec/mvm-host" volume lock "$@" || exit 1
	locked+="$1 "
}

# A copy of the host's Nix database as it is now, which the guest sees through a share.
copy_database() { # FROM TO
	"$runner/libexec/mvm-nix-db" snapshot "$1" "$2" || fail "the guest cannot have the host's Nix database $1"
}

# A volume that grew in the description grows here; an existing one is touched only then.
grow_volume() { # IMAGE MIB TYPE [DESCRIPTOR]
	local grown
	grown=$("$runner/libexec/mvm-host" volume grow "$@") || exit 1
	if [ "$grown" = extended ]; then echo "microvm-run: $name: the volume $1 has $2 MiB now; its $3 grows in the guest" >&2; fi
}

# Under the host's units the shares are served already; else they are for as long as this process lives, which becomes the hypervisor.
serve_shares() { # SOCKET...
	local socket
	for socket; do
		need_socket "$socket"
		if ! "$runner/libexec/mvm-host" listens "$socket"; then
			"$runner/bin/virtiofsd-run" --with $$@unlocked@ || fail "its shares are not served"
			return
		fi
		need_owned 'the socket' "$socket"
	done
}

# A socket that nobody listens on was left behind by a crash. Whatever else has its name stays, and there is no start: the volumes are made by now, and
# a hypervisor removes what is in the way of its socket.
remove_stale() { # SOCKET
	need_socket "$1"
	if "$runner/libexec/mvm-host" listens "$1"; then fail "$1 is in use: is the VM running already?"; fi
	if [ -S "$1" ]; then rm -f -- "$1"; fi
}

bridge_helper() {
	local helper
	for helper in /run/wrappers/bin /usr/lib/qemu /usr/libexec /usr/local/libexec; do
		if [ -x "$helper/qemu-bridge-helper" ]; then
			echo "$helper/qemu-bridge-helper"
			return
		fi
	done
	fail "there is no qemu-bridge-helper"
}

# Starts a program beside the hypervisor and waits for its socket. It ends when the hypervisor closes its connection.
companion() { # SOCKET COMMAND...
	local socket=$1 tries=0
	shift
	remove_stale "$socket"
	"$@" </dev/null@unlocked@ &
	until [ -S "$socket" ]; do
		kill -0 $! 2>/dev/null || fail "${1##*/} ended before its socket $socket was there"
		[ $((tries += 1)) -le 200 ] || fail "${1##*/} makes no socket $socket"
		sleep 0.05
	done
}

# The unit waits for the guest to report that it is up: from here on as long as the description says.
give_time() { # SECONDS
	if [ -n "${NOTIFY_SOCKET:-}" ]; then "$runner/libexec/mvm-host" extend "$1" || true; fi
}

# A process in the background is stopped when it reads from the terminal or changes its modes, as hypervisors do with their console. What the guest prints
# is still to be seen.
leave_terminal() {
	if { [ ! -t 0 ] && [ ! -t 1 ]; } || "$runner/libexec/mvm-host" foreground; then return; fi
	echo "microvm-run: $name: in the background: the guest's console takes no input" >&2
	if [ -t 0 ]; then exec </dev/null; fi
	if [ -t 1 ]; then exec > >(exec cat@unlocked@); fi
}

# What a hypervisor is told of a disk that is to be past the page cache: that, where the image's file system can do it.
where_direct() { # IMAGE TEXT OTHERWISE
	if "$runner/libexec/mvm-host" volume direct "$1" 2>/dev/null; then printf '%s' "$2"; else printf '%s' "$3"; fi
}

# A path as it stands inside a URL.
url() {
	local text=${1//%/%25}
	text=${text//\?/%3F}
	printf '%s' "${text//\#/%23}"
}

# A text as it stands inside a JSON string.
json() {
	local text=${1//\\/\\\\}
	printf '%s' "${text//\"/\\\"}"
}

need_outside_runner . "${PWD:-.}"
@stopped@
argv=()
add() { argv+=("$@"); }
accel=@accel@
@aio@
with_kvm() { if [ "$accel" = kvm ]; then "$@"; fi; }
with_tcg() { if [ "$accel" = tcg ]; then "$@"; fi; }

@startup@
@pre_start@
@needs@
@locks@
@volumes@
@database@
parameters=${MICROVM_KERNEL_PARAMS:+ $MICROVM_KERNEL_PARAMS}
if [ "$accel" = tcg ] && [ "$arch" = x86_64 ] && khz=$("$runner/libexec/mvm-host" tsc-khz); then
	# Under emulation the guest measures its clock against a timer that lags: it may wait for ever.
	parameters+=" tsc_early_khz=$khz"
fi
@stale@
@macvtaps@
@config@
@surroundings@
@command@
@extra_args@
@serve@
leave_terminal
@startup@
@exec@

# microvm-run: starts the VM from the state directory: relative paths are relative to the current
# directory.
#   MICROVM_ACCEL=kvm|tcg          forces the accelerator
#   MICROVM_KERNEL_PARAMS='a b=c'  adds kernel parameters for this start
#   MICROVM_USER=NAME              as root: the user who usually runs the VM and owns its volumes
# Some functions are used only for other VMs; values are in single quotes and may contain $:
# shellcheck disable=SC2317,SC2016
set -euo pipefail
# The hypervisor's console uses 0 and 1; if they were closed, its own files would get these numbers.
# (macOS has no /proc, and a small /dev no fd.)
for fd in 0 1 2; do
	[ -e "/proc/self/fd/$fd" ] || [ -e "/dev/fd/$fd" ] || eval "exec $fd<>/dev/null"
done
@path@
if [ $# -ne 0 ]; then
	echo "microvm-run: it takes no arguments, but got '$1'" >&2
	exit 2
fi
mvm_runner=$(dirname -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")")

# preStart runs in this shell, so that its ulimit, cd and variables hold for the hypervisor. It may
# use any name that does not begin with mvm_, because everything here is defined again afterwards.
mvm_define() {
set -euo pipefail
IFS=$' \t\n'
runner=$mvm_runner
program=microvm-run
name=@name@
arch=@arch@
missing() { exit 1; }

@place@

@state@
@functions@
fail() { complain "$@"; }

# Creates an image that does not exist; an existing one is never touched.
create_volume() { # IMAGE archive FILE | IMAGE mkfs MIB PROGRAM [ARGUMENT]...
	"$runner/libexec/mvm-host" volume create "$@" || fail "cannot create the volume $1"
}

# For a hypervisor that does not lock images: it inherits this descriptor, and with it our lock. The
# writable descriptor is opened through the first one, so that no image is created.
locked=' '
lock_volume() { # DESCRIPTOR IMAGE read|write
	if [ ! -e "$2" ] || [[ $locked = *" $1 "* ]]; then return; fi
	eval "exec $1<\"\$2\""
	if [ "$3" = write ]; then eval "exec $1<>/proc/self/fd/$1"; fi
	"$runner/libexec/mvm-host" volume lock "$@" || exit 1
	locked+="$1 "
}

# Copies the present state of the host's Nix database, which the guest sees through a share.
copy_database() { # FROM TO
	"$runner/libexec/mvm-nix-db" snapshot "$1" "$2" ||
		fail "cannot copy the host's Nix database $1 for the guest"
}

# Enlarges a volume whose size in the description has increased; an existing volume is changed only
# then.
grow_volume() { # IMAGE MIB TYPE [DESCRIPTOR]
	local grown
	grown=$("$runner/libexec/mvm-host" volume grow "$@") || exit 1
	if [ "$grown" = extended ]; then
		echo "microvm-run: $name: the volume $1 has $2 MiB now; its $3 file system has to grow in the guest" >&2
	fi
}

# Under the host's units the shares are served already. Otherwise they are served for the lifetime
# of this process, which becomes the hypervisor.
serve_shares() { # SOCKET...
	local socket
	for socket; do
		need_socket "$socket"
		if ! "$runner/libexec/mvm-host" listens "$socket"; then
			"$runner/bin/virtiofsd-run" --with $$@unlocked@ ||
				fail "cannot serve the VM's shares"
			return
		fi
		need_owned 'the socket' "$socket"
	done
}

# A socket that nobody listens on is left from a crash. Anything else of that name is kept, and the
# start fails: a hypervisor would remove it, and it may be a volume that was just created.
remove_stale() { # SOCKET
	need_socket "$1"
	if "$runner/libexec/mvm-host" listens "$1"; then
		fail "$1 is in use; is the VM already running?"
	fi
	if [ -S "$1" ]; then rm -f -- "$1"; fi
}

# Prints QEMU's backend for an interface on a bridge: the tap that root put into it, else the setuid
# program that makes one.
bridge_netdev() { # INTERFACE BRIDGE
	local helper
	if has_own_tap "$1"; then
		echo "tap,id=$1,ifname=$1,script=no,downscript=no"
	else
		helper=$(find_bridge_helper) || fail "cannot find qemu-bridge-helper"
		echo "bridge,id=$1,br=$2,helper=$helper"
	fi
}

# Starts a program beside the hypervisor and waits for its socket. It exits when the hypervisor
# closes its connection.
companion() { # SOCKET COMMAND...
	local socket=$1 tries=0
	shift
	remove_stale "$socket"
	"$@" </dev/null@unlocked@ &
	until [ -S "$socket" ]; do
		kill -0 $! 2>/dev/null ||
			fail "${1##*/} exited before it created its socket $socket"
		[ $((tries += 1)) -le 200 ] || fail "${1##*/} did not create its socket $socket"
		sleep 0.05
	done
}

# The unit waits for the guest to report that it is up; this sets the limit from the description.
give_time() { # SECONDS
	if [ -n "${NOTIFY_SOCKET:-}" ]; then "$runner/libexec/mvm-host" extend "$1" || true; fi
}

# A background process is stopped when it reads from the terminal or changes its modes, as
# hypervisors do for their console. The guest's output remains visible.
leave_terminal() {
	if { [ ! -t 0 ] && [ ! -t 1 ]; } || "$runner/libexec/mvm-host" foreground; then return; fi
	echo "microvm-run: $name: running in the background; the guest's console accepts no input" \
		>&2
	if [ -t 0 ]; then exec </dev/null; fi
	if [ -t 1 ]; then exec > >(exec cat@unlocked@); fi
}

# The journal shows a line with control characters, as a guest's last words often are, as "[30B blob
# data]". systemd.exec(5) has JOURNAL_STREAM.
feed_journal() {
	if [ -z "${JOURNAL_STREAM:-}" ] ||
		[ "$(stat -L -c %d:%i "/proc/$$/fd/1")" != "$JOURNAL_STREAM" ]; then
		return
	fi
	exec > >(exec "$runner/libexec/mvm-host" journal@unlocked@)
}

# Selects the hypervisor's argument for a disk that bypasses the page cache, if the image's file
# system supports that.
where_direct() { # IMAGE TEXT OTHERWISE
	if "$runner/libexec/mvm-host" volume direct "$1" 2>/dev/null; then
		printf '%s' "$2"
	else
		printf '%s' "$3"
	fi
}

# Has the host link the store disk, unless it did before, and names it in the state directory.
link_disk() { # NAME
	local disk
	disk=$("$runner/bin/microvm-link") || exit 1
	need_owned 'the link' "$1"
	if [ "$(readlink -- "$1")" = "$disk" ]; then return; fi
	if [ -e "$1" ] && [ ! -L "$1" ]; then
		fail "$1 exists and is not the link to the store disk; move it away"
	fi
	ln -sfn -- "$disk" "$1" || fail "cannot create the link $1 to the store disk"
}

bytes_of() { # FILE, in the runner or the state directory
	local file=$runner/$1
	if [ ! -e "$file" ]; then file=$1; fi
	echo $(($(wc -c <"$file")))
}

# Adds the size of such a file to a number of MiB.
with_mib() { echo $(($1 + ($(bytes_of "$2") + 1048575) / 1048576)); } # MIB FILE

# Escapes a path for use in a URL.
url() {
	local text=${1//%/%25}
	text=${text//\?/%3F}
	printf '%s' "${text//\#/%23}"
}

# Escapes a text for use in a JSON string.
json() {
	local text=${1//\\/\\\\}
	printf '%s' "${text//\"/\\\"}"
}

argv=()
add() { argv+=("$@"); }
with_kvm() { if [ "$accel" = kvm ]; then "$@"; fi; }
with_tcg() { if [ "$accel" = tcg ]; then "$@"; fi; }
aided= # whether a setuid program connects an interface to its bridge
unaided() { if [ -z "$aided" ]; then "$@"; fi; }
}
mvm_define

need_home
need_outside_runner . "${PWD:-.}"
@stopped@
need_choice
@startup@
@pre_start@
accel=@accel@
@aio@
@needs@
@locks@
@store_disk@
@volumes@
@database@
parameters=${MICROVM_KERNEL_PARAMS:+ $MICROVM_KERNEL_PARAMS}
if [ "$accel" = tcg ] && [ "$arch" = x86_64 ] && khz=$("$runner/libexec/mvm-host" tsc-khz); then
	# Under emulation the guest calibrates its clock against a timer that lags, which may hang
	# it.
	parameters+=" tsc_early_khz=$khz"
fi
@stale@
@macvtaps@
@bridges@
@config@
@surroundings@
@command@
@extra_args@
@serve@
leave_terminal
feed_journal
@startup@
@exec@

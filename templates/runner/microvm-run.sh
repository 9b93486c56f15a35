# microvm-run: starts the VM, from the state directory: relative paths are relative to the current directory.
#   MICROVM_ACCEL=kvm|tcg          forces the accelerator
#   MICROVM_KERNEL_PARAMS='a b=c'  further kernel parameters, for this start
# Some functions are for what other VMs have:
# shellcheck disable=SC2317
set -euo pipefail
# The hypervisor's console is 0 and 1; closed, its own files would get these numbers.
for fd in 0 1 2; do [ -e "/proc/self/fd/$fd" ] || eval "exec $fd<>/dev/null"; done
@environment@
name=@name@

# Says what is wrong and stops.
fail() {
	echo "microvm-run: $name: $*" >&2
	exit 1
}

# Starts that were killed while they created a volume leave IMAGE.new.PROCESS.
remove_leftovers() { # IMAGE
	local leftover
	for leftover in "$1".new.*; do
		if [ -d "$leftover" ] && [ ! -e "/proc/${leftover##*.}" ]; then rm -rf -- "$leftover"; fi
	done
}

# Unpacks an image in one step: a start that is cut off leaves none, and an existing one is never touched.
create_volume() { # IMAGE ARCHIVE MEMBER
	remove_leftovers "$1"
	if [ -e "$1" ]; then return; fi
	[ ! -L "$1" ] || fail "the volume $1 is a symbolic link to nothing"
	local directory
	directory=$(dirname -- "$1")
	[ -d "$directory" ] || fail "there is no directory $directory for the volume $1"
	temporary=$1.new.$$
	mkdir -m 700 -- "$temporary" || fail "cannot write to $directory for the volume $1"
	trap 'rm -rf -- "$temporary"' EXIT
	# No copy-on-write for the image where the file system has it: a volume is rewritten in place.
	chattr +C -- "$temporary" 2>/dev/null || true
	if ! tar -xzf "$runner/$2" --no-same-owner -C "$temporary" || ! sync -- "$temporary/$3"; then
		fail "cannot create the volume $1"
	fi
	# A link, not a rename: when another start was faster, its image stays.
	ln -T -- "$temporary/$3" "$1" 2>/dev/null || [ -e "$1" ] || fail "cannot create the volume $1"
	sync -- "$directory"
	rm -rf -- "$temporary"
	trap - EXIT
}

# A second start would take the socket away from the running VM, and then nothing could stop that.
need_stopped() { # SOCKET
	if "$runner/libexec/mvm-host" listening "$1"; then fail "the VM runs already, with the socket $1"; fi
}

need_file() { # WHAT PATH
	[ -r "$2" ] || fail "$1 $2 $([ -e "$2" ] && echo 'cannot be read' || echo 'is missing')"
}

@stopped@
argv=()
add() { argv+=("$@"); }
accel=@accel@
with_kvm() { if [ "$accel" = kvm ]; then "$@"; fi; }
with_tcg() { if [ "$accel" = tcg ]; then "$@"; fi; }

@pre_start@
@volumes@
@needs@
parameters=${MICROVM_KERNEL_PARAMS:+ $MICROVM_KERNEL_PARAMS}
if [ "$accel" = tcg ] && khz=$("$runner/libexec/mvm-host" tsc-khz); then
	# Under emulation the guest measures its clock against a timer that lags: it may wait for ever.
	parameters+=" tsc_early_khz=$khz"
fi
@command@
@extra_args@
command -v "${argv[0]}" >/dev/null || fail "${argv[0]} is not installed (PATH is $PATH)"
@exec@

# microvm-check [--unit | --running] [DIRECTORY]: checks whether the VM could start in that state
# directory, else in this one. Reports everything that is missing; the exit status is 1 if anything
# is.
#   --unit     the VM's units start it: what they make before is not checked (interfaces, shares)
#   --running  also, the VM may run, from another runner: what it holds is not checked
# Some functions are used only for other VMs; values are in single quotes and may contain $:
# shellcheck disable=SC2317,SC2016,SC2034
set -euo pipefail
@path@
runner=$(dirname -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")")
program=microvm-check
name=@name@
status=0
missing() { status=1; }

@place@

@state@
@functions@
@only_check@
need_served() { # SOCKET...
	local socket
	for socket; do
		need_socket "$socket"
		if ! "$runner/libexec/mvm-host" listens "$socket"; then
			"$runner/bin/virtiofsd-run" --check || missing
			return
		fi
		need_owned 'the socket' "$socket"
	done
}

need_accel() {
	if need_choice; then "$runner/libexec/mvm-host" accel >/dev/null || missing; fi
}

mode=
case ${1:-} in
--unit | --running)
	mode=$1
	shift
	;;
esac
if [ $# -gt 1 ]; then
	echo "usage: microvm-check [--unit | --running] [DIRECTORY]" >&2
	exit 2
fi
if [ -n "$mode" ]; then
	need_interface() { :; }
	need_tap() { :; }
	need_served() { :; }
fi
if [ "$mode" = --running ]; then
	need_stopped() { :; }
	need_free() { :; }
	need_clean() { :; }
	need_huge_pages() { :; }
fi
if [ $# -gt 0 ]; then enter microvm-check "$1"; fi
need_home
need_outside_runner . "${PWD:-.}"
@stopped@
@needs@
@only_needs@
@served@
@accel@
@aio@
if [ "$status" = 0 ]; then
	echo "microvm-check: $name: ready to start in ${PWD:-.}${new_volumes:+, where it would create $new_volumes}"
fi
exit "$status"

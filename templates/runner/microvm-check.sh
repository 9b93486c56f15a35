# microvm-check: checks whether the VM could start in this state directory. Reports everything that
# is missing; the exit status is 1 if anything is. Some functions are used only for other VMs;
# values are in single quotes and may contain $:
# shellcheck disable=SC2317,SC2016,SC2034
set -euo pipefail
@path@
runner=$(dirname -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")")
program=microvm-check
name=@name@
status=0
missing() { status=1; }

@state@
@functions@
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
	"$runner/libexec/mvm-host" accel >/dev/null || missing
}

need_outside_runner . "${PWD:-.}"
@stopped@
@needs@
@served@
@accel@
@aio@
if [ "$status" = 0 ]; then echo "microvm-check: ready"; fi
exit "$status"

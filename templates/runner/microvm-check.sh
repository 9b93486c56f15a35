# microvm-check: would the VM start here, from this state directory? Says all that is missing; exit status 1 if anything is.
# Some functions are for what other VMs have; values stand in single quotes, whatever is in them:
# shellcheck disable=SC2317,SC2016,SC2034
set -euo pipefail
@path@
runner=$(dirname -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")")
missing=0
complain() {
	echo "microvm-check: $*" >&2
	missing=1
}
check_program() { command -v "$1" >/dev/null || complain "$1 is not installed"; }
check_stopped() { # SOCKET
	if "$runner/libexec/mvm-host" listens "$1"; then complain "the VM runs already, with the socket $1"; fi
}
check_file() { # WHAT PATH
	[ -r "$2" ] || complain "$1 $2 cannot be read"
}
check_interface() { # TYPE NAME
	[ -e "/sys/class/net/$2/ifindex" ] || complain "the $1 interface $2 is missing"
}
check_share() { # TAG SOURCE
	[ -d "$2" ] || complain "the share $1: there is no directory $2"
}
check_served() { # SOCKET...
	local socket
	for socket; do
		if ! "$runner/libexec/mvm-host" listens "$socket"; then
			"$runner/bin/virtiofsd-run" --check || missing=1
			return
		fi
	done
}
check_volume() { # IMAGE READ-ONLY CREATED
	if [ -e "$1" ]; then
		[ -r "$1" ] || complain "the volume $1 cannot be read"
		[ "$2" = true ] || [ -w "$1" ] || complain "the volume $1 cannot be written"
	elif [ "$3" = true ]; then
		[ -w "$(dirname -- "$1")" ] || complain "the volume $1 cannot be created"
	else
		complain "the volume $1 is missing"
	fi
}
check_size() { # IMAGE MIB TYPE
	"$runner/libexec/mvm-host" volume check "$@" || missing=1
}
check_mkfs() { # IMAGE MKFS PACKAGE
	[ -e "$1" ] || PATH=$PATH:/usr/sbin:/sbin command -v "$2" >/dev/null || complain "$2 is needed to create the volume $1: it is in $3"
}
@checks@
if [ "$missing" = 0 ]; then echo "microvm-check: ready"; fi
exit "$missing"

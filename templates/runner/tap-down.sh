# tap-down: removes the VM's tap interfaces, as root. What is gone already is no error; what is open, or another's, stays.
# Some functions are for other scripts; values stand in single quotes, whatever is in them:
# shellcheck disable=SC2317,SC2016
set -euo pipefail
@path@
status=0
say() { echo "tap-down: $*" >&2; }

@holders@
remove() { # NAME
	local device=/sys/class/net/$1
	if [ ! -e "$device" ]; then
		return
	elif [ ! -e "$device/tun_flags" ] || [ $(($(cat "$device/tun_flags") & 0x0002)) = 0 ]; then
		say "the interface $1 is no tap, so not this VM's: it stays"
	elif tap_is_open "$1"; then
		say "$(tap_holder_or_how "$1") has the interface $1 open: it stays"
		status=1
	else
		ip link delete dev "$1" || status=1
	fi
}
@interfaces@
exit "$status"

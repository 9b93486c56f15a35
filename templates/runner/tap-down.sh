# tap-down: removes the VM's tap interfaces, as root. A missing interface is fine; one that is open,
# or not the VM's, is kept. Some functions are used only by other scripts; values are in single
# quotes and may contain $:
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
		say "keeping the interface $1: it is not a tap, so it is not this VM's"
	elif tap_is_open "$1"; then
		say "keeping the interface $1: $(tap_holder_or_how "$1") has it open"
		status=1
	else
		ip link delete dev "$1" || status=1
	fi
}
@interfaces@@after@
exit "$status"

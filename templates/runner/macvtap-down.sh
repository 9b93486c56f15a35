# macvtap-down: removes the VM's macvtap interfaces, as root. A missing interface is fine; one that
# is open, or not the VM's, is kept. Some functions are used only by other scripts; values are in
# single quotes and may contain $:
# shellcheck disable=SC2317,SC2016
set -euo pipefail
@path@
status=0
say() { echo "macvtap-down: $*" >&2; }

@holders@
remove() { # NAME
	local device=/sys/class/net/$1 holder
	if [ ! -e "$device" ]; then
		return
	elif [ ! -d "$device/macvtap" ]; then
		say "keeping the interface $1: it is not a macvtap, so it is not this VM's"
	# A unit cannot see this, but it runs after the VM has ended.
	elif holder=$(macvtap_holder "$1"); then
		say "keeping the interface $1: $holder has it open"
		status=1
	else
		ip link delete dev "$1" || status=1
	fi
}
@interfaces@@after@
exit "$status"

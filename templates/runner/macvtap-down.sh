# macvtap-down: removes the VM's macvtap interfaces, as root. What is gone already is no error; what is open, or another's, stays.
# Some functions are for other scripts; values stand in single quotes, whatever is in them:
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
		say "the interface $1 is no macvtap, so not this VM's: it stays"
	# Where a unit cannot see it, the VM has ended: that comes first.
	elif holder=$(macvtap_holder "$1"); then
		say "$holder has the interface $1 open: it stays"
		status=1
	else
		ip link delete dev "$1" || status=1
	fi
}
@interfaces@
exit "$status"

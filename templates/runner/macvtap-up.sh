# macvtap-up: makes the VM's macvtap interfaces, as root. One that is there as it should be stays: a VM may be using it.
#   MICROVM_USER=NAME MICROVM_GROUP=NAME  who may open them, names or numbers
# Some functions are for other scripts; values stand in single quotes, whatever is in them:
# shellcheck disable=SC2317,SC2016
set -euo pipefail
@path@
user=${MICROVM_USER:-@user@}
group=${MICROVM_GROUP:-@group@}
wait_tenths=50 # for the device file

fail() {
	echo "macvtap-up: $*" >&2
	exit 1
}
command -v ip >/dev/null || fail "ip is not installed (PATH is $PATH)"

@holders@
# Whether the interface is a macvtap of this kind; the address stands in it in lower case.
fits() { # NAME MAC LINK MODE
	[ -e "/sys/class/net/$1/lower_$3" ] && [ "$(cat "/sys/class/net/$1/address")" = "${2,,}" ] &&
		[[ $(ip -details link show dev "$1") == *"macvtap mode $4 "* ]]
}

# One that is there but is not what the VM needs is made anew, unless it is another's, or open.
make_room() { # NAME MAC LINK MODE
	local holder
	[ -d "/sys/class/net/$1/macvtap" ] || fail "the interface $1 is there and is no macvtap"
	if fits "$@"; then return; fi
	if holder=$(macvtap_holder "$1"); then fail "the interface $1 has not the address, link and mode that this VM needs, and $holder has it open: stop that first"; fi
	sees_files || fail "the interface $1 has not the address, link and mode that this VM needs, and who has it open cannot be seen from here: as root, \"ip link delete dev $1\" takes it away"
	ip link delete dev "$1"
}

# udev, or the kernel itself, makes it.
wait_for_file() { # DEVICE
	local tenths=0
	until [ -e "$1" ]; do
		[ $((tenths += 1)) -le "$wait_tenths" ] || fail "$1 does not appear"
		sleep 0.1
	done
}

macvtap() { # NAME MAC LINK MODE
	local device=/sys/class/net/$1 file
	[ -e "/sys/class/net/$3" ] || fail "there is no interface $3 for $1 to hang on"
	if [ -e "$device" ]; then make_room "$@"; fi
	if [ ! -e "$device" ]; then ip link add link "$3" name "$1" address "$2" type macvtap mode "$4"; fi
	ip link set dev "$1" allmulticast on
	# The guest has the addresses, not the host.
	if [ -e "/proc/sys/net/ipv6/conf/$1/disable_ipv6" ]; then echo 1 >"/proc/sys/net/ipv6/conf/$1/disable_ipv6"; fi
	ip link set dev "$1" up
	file=/dev/tap$(cat "$device/ifindex")
	wait_for_file "$file"
	chown -- "$user${group:+:$group}" "$file"
}
@interfaces@

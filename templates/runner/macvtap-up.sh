# macvtap-up: creates the VM's macvtap interfaces, as root. An existing one that fits is kept,
# because a VM may be using it.
#   MICROVM_USER=NAME MICROVM_GROUP=NAME  owner of the device files, names or numbers
#   MICROVM_LINK_SECONDS=COUNT            how long to wait for a link that does not exist yet
# Some functions are used only by other scripts; values are in single quotes and may contain $:
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
# Whether the interface is the macvtap that the VM needs; sysfs has the address in lower case.
fits() { # NAME MAC LINK MODE
	[ -e "/sys/class/net/$1/lower_$3" ] &&
		[ "$(cat "/sys/class/net/$1/address")" = "${2,,}" ] &&
		[[ $(ip -details link show dev "$1") == *"macvtap mode $4 "* ]]
}

# Removes an interface that does not fit, unless it is not a macvtap, or is open.
make_room() { # NAME MAC LINK MODE
	local holder
	[ -d "/sys/class/net/$1/macvtap" ] || fail "the interface $1 exists and is not a macvtap"
	if fits "$@"; then return; fi
	if holder=$(macvtap_holder "$1"); then
		fail "the interface $1 does not have the address, link and mode that this VM needs, and $holder has it open; stop that first"
	fi
	sees_files || fail "the interface $1 does not have the address, link and mode that this VM needs, and it may be open in a process that is invisible here; \"ip link delete dev $1\" removes it, as root"
	ip link delete dev "$1"
}

# udev, or the kernel itself, creates it.
wait_for_file() { # DEVICE
	local tenths=0
	until [ -e "$1" ]; do
		[ $((tenths += 1)) -le "$wait_tenths" ] ||
			fail "$1 did not appear within $((wait_tenths / 10)) s"
		sleep 0.1
	done
}

macvtap() { # NAME MAC LINK MODE
	local device=/sys/class/net/$1 file
	wait_for_link "/sys/class/net/$3" "the interface $3"
	[ -e "/sys/class/net/$3" ] ||
		fail "the interface $3, to which $1 is to be attached, does not exist"
	if [ -e "$device" ]; then make_room "$@"; fi
	if [ ! -e "$device" ]; then
		ip link add link "$3" name "$1" address "$2" type macvtap mode "$4"
	fi
	ip link set dev "$1" allmulticast on
	# The addresses belong to the guest, not to the host.
	if [ -e "/proc/sys/net/ipv6/conf/$1/disable_ipv6" ]; then
		echo 1 >"/proc/sys/net/ipv6/conf/$1/disable_ipv6"
	fi
	ip link set dev "$1" up
	file=/dev/tap$(cat "$device/ifindex")
	wait_for_file "$file"
	chown -- "$user${group:+:$group}" "$file"
}
@interfaces@@after@

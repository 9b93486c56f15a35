# tap-up: creates the VM's tap interfaces, as root. An existing one that fits is kept, because a VM
# may be using it.
#   MICROVM_USER=NAME           the user who may open them, a name or a number
#   MICROVM_LINK_SECONDS=COUNT  how long to wait for a bridge that does not exist yet
# Some functions are used only by other scripts; values are in single quotes and may contain $:
# shellcheck disable=SC2317,SC2016
set -euo pipefail
@path@
user=${MICROVM_USER:-@user@}

fail() {
	echo "tap-up: $*" >&2
	exit 1
}
command -v ip >/dev/null || fail "ip is not installed (PATH is $PATH)"
uid=$user
if [[ $user == *[!0-9]* ]]; then
	uid=$(id -u -- "$user" 2>/dev/null) ||
		fail "the user $user does not exist; set MICROVM_USER"
fi

# Flags of <linux/if_tun.h> in sysfs: IFF_TAP, IFF_PERSIST, IFF_MULTI_QUEUE. Other flags depend on
# the last process that opened it.
all=$((0x0002 | 0x0800 | 0x0100)) multi_queue=$((@multi_queue@))

@holders@
# Whether the interface is a tap of this user that the hypervisor can open.
fits() { # DEVICE
	[ $(($(cat "$1/tun_flags") & all)) = $((0x0002 | 0x0800 | multi_queue)) ] &&
		[ "$(cat "$1/owner")" = "$uid" ]
}

# Removes an interface that does not fit, unless it is not a tap, or is open.
make_room() { # NAME
	local device=/sys/class/net/$1 holder
	[ -e "$device/tun_flags" ] || fail "the interface $1 exists and is not a tap"
	if [ $(($(cat "$device/tun_flags") & 0x0002)) = 0 ]; then
		holder=$(tap_holder "$1") || true
		fail "the interface $1 exists and is a TUN device, not a tap${holder:+; $holder has it open}"
	fi
	if fits "$device"; then return; fi
	if tap_is_open "$1"; then
		fail "the interface $1 does not have the queues and the owner that this VM needs, and $(tap_holder_or_how "$1") has it open; stop that first"
	fi
	ip link delete dev "$1"
}

tap() { # NAME [BRIDGE [one]]: for one queue, else for as many as the hypervisor opens taps for
	local device=/sys/class/net/$1 multi_queue=$multi_queue
	local -a flags=(vnet_hdr)
	if [ "${3:-}" = one ]; then multi_queue=0; fi
	if [ "$multi_queue" != 0 ]; then flags+=(multi_queue); fi
	if [ -n "${2:-}" ]; then
		wait_for_link "/sys/class/net/$2/bridge" "the bridge $2"
		[ -d "/sys/class/net/$2/bridge" ] ||
			fail "the bridge $2 of the interface $1 does not exist"
	fi
	if [ -e "$device" ]; then make_room "$1"; fi
	if [ ! -e "$device" ]; then ip tuntap add dev "$1" mode tap user "$uid" "${flags[@]}"; fi
	if [ -n "${2:-}" ]; then ip link set dev "$1" master "$2"; fi
	ip link set dev "$1" up
}
@interfaces@@after@

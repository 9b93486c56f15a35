# tap-up: makes the VM's tap interfaces, as root. One that is there as it should be stays: a VM may be using it.
#   MICROVM_USER=NAME  who may open them, a name or a number
# Some functions are for other scripts; values stand in single quotes, whatever is in them:
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
	uid=$(id -u -- "$user" 2>/dev/null) || fail "there is no user $user: MICROVM_USER names another"
fi

# Of <linux/if_tun.h>, as they stand in sysfs: IFF_TAP, IFF_PERSIST, IFF_MULTI_QUEUE. The others are those of who opened it last.
all=$((0x0002 | 0x0800 | 0x0100)) flags=$((0x0002 | 0x0800 | @multi_queue@))

@holders@
# Whether the interface is a tap of this user, as the hypervisor opens it.
fits() { # DEVICE
	[ $(($(cat "$1/tun_flags") & all)) = "$flags" ] && [ "$(cat "$1/owner")" = "$uid" ]
}

# One that is there but cannot be used is made anew, unless it is another's, or open.
make_room() { # NAME
	local device=/sys/class/net/$1 holder
	[ -e "$device/tun_flags" ] || fail "the interface $1 is there and is no tap"
	if [ $(($(cat "$device/tun_flags") & 0x0002)) = 0 ]; then
		holder=$(tap_holder "$1") || true
		fail "the interface $1 is there and is no tap but a TUN device${holder:+, which $holder has open}"
	fi
	if fits "$device"; then return; fi
	if tap_is_open "$1"; then
		fail "the interface $1 has not the queues and the owner that this VM needs, and $(tap_holder_or_how "$1") has it open: stop that first"
	fi
	ip link delete dev "$1"
}

tap() { # NAME [BRIDGE]
	local device=/sys/class/net/$1
	[ -z "${2:-}" ] || [ -d "/sys/class/net/$2/bridge" ] || fail "there is no bridge $2 for the interface $1"
	if [ -e "$device" ]; then make_room "$1"; fi
	if [ ! -e "$device" ]; then ip tuntap add dev "$1" mode tap user "$uid" @flags@; fi
	if [ -n "${2:-}" ]; then ip link set dev "$1" master "$2"; fi
	ip link set dev "$1" up
}
@interfaces@

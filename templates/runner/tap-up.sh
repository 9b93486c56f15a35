# tap-up: makes the VM's tap interfaces, as root. One that is there as it should be stays: a VM may be using it.
#   MICROVM_USER=NAME  who may open them, a name or a number
# Values stand in single quotes, whatever is in them:
# shellcheck disable=SC2016
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

# Of <linux/if_tun.h>, as they stand in sysfs: IFF_TAP, IFF_NO_PI, IFF_PERSIST; IFF_VNET_HDR; IFF_MULTI_QUEUE.
flags=$((0x0002 | 0x1000 | 0x0800 | 0x4000 | @multi_queue@))

# Whether the interface is a tap of this user, as the hypervisor opens it.
fits() { # DEVICE
	[ $(($(cat "$1/tun_flags"))) = "$flags" ] && [ "$(cat "$1/owner")" = "$uid" ]
}

tap() { # NAME [BRIDGE]
	local device=/sys/class/net/$1
	[ -z "${2:-}" ] || [ -d "/sys/class/net/$2/bridge" ] || fail "there is no bridge $2 for the interface $1"
	if [ -e "$device" ]; then
		[ -e "$device/tun_flags" ] || fail "the interface $1 is there and is no tap"
		fits "$device" || ip link delete dev "$1"
	fi
	if [ ! -e "$device" ]; then ip tuntap add dev "$1" mode tap user "$uid" @flags@; fi
	if [ -n "${2:-}" ]; then ip link set dev "$1" master "$2"; fi
	ip link set dev "$1" up
}
@interfaces@

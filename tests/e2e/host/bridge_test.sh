#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs the commands of "On a bridge" in docs/debian-guest.md on a host with a real systemd, and
# boots a guest there. It reaches a server beyond the host that has no route back to the guest's
# network, so that answers arrive only if the host translates addresses.
set -u
# shellcheck source=tests/e2e/lib/guest.sh
. "$(dirname "$0")/../lib/guest.sh"
need_root
need_programs ip nft sysctl unshare nsenter script socat systemctl networkctl
[ -x /lib/systemd/systemd-networkd ] || skip_all "needs systemd-networkd"
unshare --net nft add table ip probe 2>/dev/null || skip_all "the kernel has no nftables"
guest_setup
# shellcheck source=tests/e2e/lib/systemd.sh
. "$top/tests/e2e/lib/systemd.sh"
# shellcheck source=tests/e2e/lib/handbook.sh
. "$top/tests/e2e/lib/handbook.sh"
guest=$(guest_build lan-guest) || exit 1
log=$test_dir/log
blocks=$test_dir/blocks
page_blocks "$blocks" debian-guest.md 'On a bridge'
check "the part has three blocks" test -s "$blocks/3" -a ! -e "$blocks/4"

# The page's VM has the same interface and the same place, from where its commands start it.
{
	grep -o '^\[{type: tap, id: vm-debian, bridge: br0}\]' "$top/docs/debian-guest.md" |
		sed 's/^/interfaces: /'
	fast_kernel
} | compile debian-vm "$guest" || finish

host_begin

# The host's address is 198.51.100.2, and its default route leads to the rest of the world, where
# the server answers with the address from which it was asked.
# shellcheck disable=SC2317 # check calls it
world() {
	host bash -euc '
		mount -o remount,ro,bind /sys # as in a container: systemd-networkd does not wait for udev
		ip netns add world
		ip link add uplink type veth peer name eth0 netns world
		ip address add 198.51.100.2/24 dev uplink
		ip link set uplink up
		ip route add default via 198.51.100.1
		ip -n world address add 198.51.100.1/24 dev eth0
		ip -n world address add 203.0.113.1/32 dev lo
		ip -n world link set lo up
		ip -n world link set eth0 up'
	# shellcheck disable=SC2016 # socat's shell's
	host ip netns exec world \
		socat TCP-LISTEN:1024,fork,reuseaddr 'SYSTEM:echo hello to $SOCAT_PEERADDR' &
}

# part DESCRIPTION TEXT: runs the block that contains TEXT.
part() {
	local block
	block=$(grep -lF -e "$2" "$blocks"/[0-9])
	check "$1" host bash -euo pipefail -c "$(<"$block")"
}

# guest_reaches DESCRIPTION [PARAMETER]...: boots the guest by the page's commands.
guest_reaches() {
	local description=$1 block
	shift
	block=$(grep -lF tap-up "$blocks"/[0-9])
	vm_run "$limit" "$console" '^lan: ' nsenter -t "$host_pid" -m -p -u -i -n -C --root -- \
		env -i -C "$test_dir/state" PATH="$PATH" \
		MICROVM_KERNEL_PARAMS="quiet lan.beyond=203.0.113.1 $*" \
		bash -euo pipefail -c "$(<"$block")" && status=0 || status=$?
	ends_well "$description: the guest ends with status 0"
	expect "$description: the guest reaches a server beyond the host, by the host's address" \
		"$console" '^lan: answer hello to 198\.51\.100\.2$'
}

check "nft: there is a world beyond the host" world
part "nft: the commands succeed" 'nft add table'
guest_reaches nft lan.address=192.168.77.2 lan.gateway=192.168.77.1

# Another host, on which nothing of that is left.
host_stop
host_begin

check "networkd: there is a world beyond the host" world
part "networkd: the commands succeed" br0.netdev
check "networkd: the bridge gets its address" wait_until \
	host sh -c 'ip address show dev br0 | grep -q "inet 192\.168\.77\.1/24"'
check "networkd: a bridge without VMs does not delay a boot" \
	host /lib/systemd/systemd-networkd-wait-online --timeout=20 --interface=br0
guest_reaches networkd lan.address=dhcp
expect "networkd: the guest gets an address, a router and a name server by DHCP" "$console" \
	'^lan: lease 192\.168\.77\.[0-9]+/24 router 192\.168\.77\.1 dns 9\.9\.9\.9$'
finish

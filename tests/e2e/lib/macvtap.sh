# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Makes and examines interfaces of the host. Needs root.

# index INTERFACE: prints its number, which is also that of a macvtap's device file.
index() { cat "/sys/class/net/$1/ifindex"; }

# macvtap_possible LINK LOG: whether the kernel makes macvtaps on LINK; LOG has the reason if not.
macvtap_possible() {
	ip link add link "$1" name mvm-probe type macvtap 2>"$2" && ip link delete dev mvm-probe
}

# macvtap_file INTERFACE: waits for the macvtap, and makes its device file if no udev does.
macvtap_file() {
	local device
	wait_until test -e "/sys/class/net/$1/macvtap"
	device=$(cat "/sys/class/net/$1/macvtap/tap"*/dev)
	[ -e "/dev/tap$(index "$1")" ] ||
		mknod "/dev/tap$(index "$1")" c "${device%:*}" "${device#*:}"
}

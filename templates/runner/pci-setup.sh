# pci-setup: binds the VM's PCI devices to vfio-pci, as root. Devices that it already has are left
# alone.
#   MICROVM_USER=NAME MICROVM_GROUP=NAME  owner of the group's file, names or numbers
# Values are in single quotes and may contain $:
# shellcheck disable=SC2016
set -euo pipefail
@path@
user=${MICROVM_USER:-@user@}
group=${MICROVM_GROUP:-@group@}

fail() {
	echo "pci-setup: $*" >&2
	exit 1
}
# It may be built in.
if [ ! -e /sys/bus/pci/drivers/vfio-pci ]; then
	modprobe vfio-pci || fail "the kernel has no vfio-pci"
fi

driver() { # DEVICE
	if [ -e "$1/driver" ]; then basename -- "$(readlink -f -- "$1/driver")"; fi
}

pci() { # ADDRESS
	local device=/sys/bus/pci/devices/$1
	case $1 in *:*:*) ;; *) device=/sys/bus/pci/devices/0000:$1 ;; esac
	[ -e "$device" ] || fail "the PCI device $1 does not exist"
	[ -e "$device/iommu_group" ] ||
		fail "the PCI device $1 has no IOMMU group; enable the IOMMU in the firmware, and with intel_iommu=on"
	if [ "$(driver "$device")" != vfio-pci ]; then
		echo vfio-pci >"$device/driver_override"
		if [ -e "$device/driver" ]; then echo "${device##*/}" >"$device/driver/unbind"; fi
		echo "${device##*/}" >/sys/bus/pci/drivers_probe
		[ "$(driver "$device")" = vfio-pci ] ||
			fail "vfio-pci does not accept the PCI device $1"
	fi
	chown -- "$user${group:+:$group}" \
		"/dev/vfio/$(basename -- "$(readlink -f -- "$device/iommu_group")")"
}
@devices@@after@

# pci-setup: gives the VM's PCI devices to vfio-pci, as root. Those that it has already stay.
#   MICROVM_USER=NAME MICROVM_GROUP=NAME  who may open them, names or numbers
# Values stand in single quotes, whatever is in them:
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
if [ ! -e /sys/bus/pci/drivers/vfio-pci ]; then modprobe vfio-pci || fail "the kernel has no vfio-pci"; fi

driver() { # DEVICE
	if [ -e "$1/driver" ]; then basename -- "$(readlink -f -- "$1/driver")"; fi
}

pci() { # ADDRESS
	local device=/sys/bus/pci/devices/$1
	[ -e "$device" ] || fail "there is no PCI device $1"
	[ -e "$device/iommu_group" ] || fail "the PCI device $1 has no IOMMU group: is the IOMMU on, in the firmware and by intel_iommu=on?"
	if [ "$(driver "$device")" != vfio-pci ]; then
		echo vfio-pci >"$device/driver_override"
		if [ -e "$device/driver" ]; then echo "$1" >"$device/driver/unbind"; fi
		echo "$1" >/sys/bus/pci/drivers_probe
		[ "$(driver "$device")" = vfio-pci ] || fail "vfio-pci does not take the PCI device $1"
	fi
	chown -- "$user${group:+:$group}" "/dev/vfio/$(basename -- "$(readlink -f -- "$device/iommu_group")")"
}
@devices@

# What only microvm-check looks at. At a start, the hypervisor or the shell complains about it.

# The first line of bash's message begins with its own name and "-c".
need_script() { # OPTION TEXT
	local error
	error=$("$BASH" -n -c "$2" 2>&1) || {
		error=${error%%$'\n'*}
		complain "$1: ${error#*: -c: }"
	}
}

need_path() { # DIRECTORY...
	local directory
	for directory; do
		[ -d "$directory" ] || complain "hostPath: the directory $directory does not exist"
	done
}

# Units run pci-setup, which binds the devices. The hypervisor adds a missing PCI domain.
need_pci() { # ADDRESS
	local device=/sys/bus/pci/devices/$1 driver=
	case $1 in *:*:*) ;; *) device=/sys/bus/pci/devices/0000:$1 ;; esac
	driver=$(readlink -- "$device/driver") || true
	if [ ! -e "$device" ]; then
		complain "the PCI device $1 does not exist; \"lspci -D\" lists the devices of this machine"
	elif [ ! -e "$device/iommu_group" ]; then
		complain "the PCI device $1 has no IOMMU group; enable the IOMMU in the firmware, and with intel_iommu=on"
	elif [ -z "$mode" ] && [ "${driver##*/}" != vfio-pci ]; then
		complain "the PCI device $1 is not bound to vfio-pci; as root, run: $runner/bin/pci-setup"
	fi
}

# The helper's own list: qemu-bridge-helper.c, parse_acl_file.
bridge_is_allowed() { # FILE BRIDGE
	local word value
	while read -r word value _; do
		case $word:$value in
		allow:all | allow:"$2") return 0 ;;
		include:?*)
			if [ -r "$value" ] && bridge_is_allowed "$value" "$2"; then return 0; fi
			;;
		esac
	done <"$1"
	return 1
}

need_bridge() { # BRIDGE INTERFACE
	local helper file=/etc/qemu/bridge.conf
	[ -d "/sys/class/net/$1/bridge" ] ||
		complain "the bridge $1 does not exist; as root, run: ip link add $1 type bridge && ip link set $1 up"
	# The units make a tap.
	if [ -n "$mode" ] || has_own_tap "$2"; then return; fi
	helper=$(find_bridge_helper) || {
		complain "qemu-bridge-helper, which connects the VM to the bridge $1, is not installed; it is part of QEMU"
		return 0
	}
	# Packages and NixOS have it in /etc; QEMU's own build has it below its prefix.
	case $helper in /usr/local/*) file=/usr/local/etc/qemu/bridge.conf ;; esac
	if [ ! -e "$file" ] || { [ -r "$file" ] && ! bridge_is_allowed "$file" "$1"; }; then
		complain "$file does not allow the bridge $1; as root, run:" \
			"mkdir -p ${file%/*} && echo 'allow $1' >>$file"
	fi
	# The other way is a file capability.
	if [ "$(id -u)" != 0 ] && [ ! -u "$helper" ] &&
		! { command -v getcap >/dev/null && [ -n "$(getcap "$helper")" ]; }; then
		complain "$helper must be setuid to connect the VM to the bridge $1; as root, run: chmod u+s $helper"
	fi
}

# Each word of the hypervisor's list counts, also those after "alias of".
need_listed() { # OPTION NAME PROGRAM ARGUMENT
	local list
	list=$("$3" "$4" help 2>/dev/null) || return 0
	case " ${list//[$'\n'(),]/ } " in
	*" $2 "*) ;;
	*) complain "$1: $3 has no \"$2\"; \"${3##*/} $4 help\" lists what it has" ;;
	esac
}

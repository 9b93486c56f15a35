/* SPDX-License-Identifier: MIT */
#include "backends/interface/backend.h"

#include <stdlib.h>

const char *feature_name(enum feature feature)
{
	static const char *const names[FEATURE_COUNT] = {
		[FEATURE_9P] = "9p shares",
		[FEATURE_VIRTIOFS] = "virtiofs shares",
		[FEATURE_SHARE_DAX] = "DAX for shares",
		[FEATURE_USER_NETWORK] = "user networking",
		[FEATURE_FORWARD_PORTS] = "port forwarding",
		[FEATURE_TAP] = "tap interfaces",
		[FEATURE_VHOST_NET] = "vhost-net",
		[FEATURE_MACVTAP] = "macvtap interfaces",
		[FEATURE_BRIDGE] = "bridge interfaces",
		[FEATURE_VSOCK] = "vsock",
		[FEATURE_NOTIFY] = "readiness of the guest",
		[FEATURE_PCI_DEVICES] = "PCI devices of the host",
		[FEATURE_USB_DEVICES] = "USB devices of the host",
		[FEATURE_ROOT_PORTS] = "PCIe root ports",
		[FEATURE_GRAPHICS] = "graphics",
		[FEATURE_CPU] = "CPU models",
		[FEATURE_HUGEPAGES] = "huge pages",
		[FEATURE_HOTPLUG_MEMORY] = "hotplug memory",
		[FEATURE_BALLOON] = "a balloon",
		[FEATURE_INITIAL_BALLOON] = "an initial balloon",
		[FEATURE_MACHINE_ID] = "a machine id",
		[FEATURE_CREDENTIALS] = "credentials",
		[FEATURE_NO_SOCKET] = "starting without a control socket",
		[FEATURE_USER] = "switching to a user",
		[FEATURE_READ_ONLY_VOLUMES] = "read-only volumes",
		[FEATURE_DIRECT] = "direct I/O",
		[FEATURE_SERIAL] = "serial numbers of disks",
		[FEATURE_PMEM] = "a store disk as persistent memory",
		[FEATURE_STORE_DIRECT] = "direct I/O for the store disk",
		[FEATURE_QCOW2] = "qcow2 images",
		[FEATURE_VHD] = "vhd and vhdx images",
		[FEATURE_EXTRA_ARGS] = "extra arguments",
	};
	return names[feature];
}

bool version_at_least(const char *version, unsigned major, unsigned minor)
{
	if (!version)
		return true;
	char *end;
	const unsigned long has_major = strtoul(version, &end, 10);
	const unsigned long has_minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
	return has_major > major || (has_major == major && has_minor >= minor);
}

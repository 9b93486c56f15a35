/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/shape.h"
#include "compiler/check/check.h"

void check_devices(const struct checker *checker)
{
	for (size_t i = 0; i < checker->vm->devices.n; i++) {
		const struct device *device = &checker->vm->devices.v[i];
		const struct pos *where = check_position(checker, &device->path, &device->where);
		if (device->bus == BUS_REFUSED || !device->path)
			continue;
		if (device->bus == BUS_PCI && !is_pci_address(device->path))
			check_error(checker, where, "bad-device",
				"devices[%zu].path: \"%.80s\" is not a PCI address such as "
				"0000:01:00.0",
				i, device->path);
		if (device->bus == BUS_USB &&
			(!*device->path || !is_made_of(device->path, "=,.-_")))
			check_error(checker, where, "bad-device",
				"devices[%zu].path: \"%.80s\" is not a USB device such as "
				"vendorid=0xabcd,productid=0x0123",
				i, device->path);
	}
}

/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "compiler/checks.h"
#include "compiler/shape.h"

void check_devices(const struct checker *checker)
{
	for (size_t i = 0; i < checker->vm->devices.n; i++) {
		const struct device *device = &checker->vm->devices.v[i];
		const struct pos *where = place(checker, &device->path, &device->where);
		if (!device->bus || !device->path)
			continue;
		if (strcmp(device->bus, "pci") == 0 && !is_pci_address(device->path))
			wrong(checker, where, "bad-device", "devices[%zu].path: \"%.80s\" is no PCI address such as 0000:01:00.0", i, device->path);
		if (strcmp(device->bus, "usb") == 0 && (!*device->path || !is_made_of(device->path, "=,.-_")))
			wrong(checker, where, "bad-device", "devices[%zu].path: \"%.80s\" is no USB device such as vendorid=0xabcd,productid=0x0123", i,
			      device->path);
	}
}

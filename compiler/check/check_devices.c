/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/shape.h"
#include "compiler/check/check.h"

/* A property by which QEMU's usb-host finds the device; the text ends at the comma. */
static bool is_usb_property(const char *text, size_t length)
{
	static const char hex[] = "0123456789abcdefABCDEFx", decimal[] = "0123456789.",
			  path[] = "abcdefghijklmnopqrstuvwxyz0123456789/";
	static const struct {
		const char *key, *characters;
	} properties[] = {{"vendorid=", hex}, {"productid=", hex}, {"hostbus=", decimal},
		{"hostaddr=", decimal}, {"hostport=", decimal}, {"hostdevice=", path}};
	for (size_t i = 0; i < countof(properties); i++) {
		const size_t key = strlen(properties[i].key);
		if (length > key && strncmp(text, properties[i].key, key) == 0)
			return strspn(text + key, properties[i].characters) >= length - key;
	}
	return false;
}

static bool is_usb_device(const char *path)
{
	for (;; path++) {
		const size_t length = strcspn(path, ",");
		if (!is_usb_property(path, length))
			return false;
		path += length;
		if (!*path)
			return true;
	}
}

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
		if (device->bus == BUS_USB && !is_usb_device(device->path))
			check_error(checker, where, "bad-device",
				"devices[%zu].path: \"%.80s\" is not a USB device such as "
				"vendorid=0xabcd,productid=0x0123",
				i, device->path);
	}
}

/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/shape.h"
#include "compiler/check/check.h"

/* QEMU refuses to start with any other id (id_wellformed in util/id.c). */
static void check_qemu_id(const struct checker *checker, const char *const *id,
	const struct pos *element, const char *what, size_t i)
{
	if (*id && check_accepted(checker, id) && (!is_name(*id) || strchr("0123456789", **id)))
		check_error(checker, check_position(checker, id, element), "bad-name",
			"%s[%zu]: \"%.80s\" is not a valid QEMU id: use letters, digits, '-', '_' "
			"and '.', starting with a letter",
			what, i, *id);
}

static void check_root_ports(const struct checker *checker, const char *hypervisor,
	const struct hypervisor_options *options)
{
	const char *what = arena_printf(checker->arena, "%s.pcieRootPorts", hypervisor);
	for (size_t i = 0; i < options->pcie_root_ports.n; i++)
		check_qemu_id(checker, &options->pcie_root_ports.v[i].id,
			&options->pcie_root_ports.v[i].where, what, i);
}

void check_devices(const struct checker *checker)
{
	for (size_t i = 0; backends[i]; i++)
		check_root_ports(checker, backends[i]->name, checker->vm->own[i]);
	for (size_t i = 0; i < checker->vm->devices.n; i++) {
		const struct device *device = &checker->vm->devices.v[i];
		const struct pos *where = check_position(checker, &device->path, &device->where);
		check_qemu_id(checker, &device->qemu.id, &device->where, "devices", i);
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

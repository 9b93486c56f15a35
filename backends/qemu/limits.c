/* SPDX-License-Identifier: MIT */
/*
 * limits: the number of CPUs and devices that QEMU's machines support, according to
 * hw/i386/{microvm,pc_q35,pc_piix}.c and hw/arm/virt.c. Tested with 7.2, whose messages are "No
 * 'virtio-bus' bus found" and "no slot/function available".
 */
#include <stdlib.h>
#include <string.h>

#include "backends/qemu/qemu.h"

enum {
	/*
	 * The second I/O APIC has 24 interrupts, but a disk on the last one never answers the
	 * guest, which waits forever (7.2, TCG).
	 */
	MMIO_PLACES = 23,
	MMIO_PLACES_ONE_IOAPIC = 8,
};

struct machine {
	const char *name, *versioned; /* "q35"; "pc-q35-", the prefix of pc-q35-7.2 */
	unsigned cpus, slots;         /* free slots of its PCI bus, without its own devices */
};

/* q35 supported 288 CPUs up to QEMU 8.0; since then, more than the option vcpu allows. */
enum { Q35_CPUS = 288 };
static const struct machine machines[] = {
	{"microvm", NULL, 288, 31},
	{"q35", "pc-q35-", Q35_CPUS, 30},
	{"pc", "pc-i440fx-", 255, 30},
	{"virt", "virt-", 512, 31},
};

static bool has_name(const struct machine *machine, const char *name)
{
	return strcmp(name, machine->name) == 0 ||
		(machine->versioned &&
			strncmp(name, machine->versioned, strlen(machine->versioned)) == 0);
}

/* Returns NULL if the machine's limits are not known. */
static const struct machine *find_machine(const char *name)
{
	for (size_t i = 0; i < countof(machines); i++)
		if (has_name(&machines[i], name))
			return &machines[i];
	return NULL;
}

static bool has_more_cpus(
	const struct guest *guest, const struct machine *machine, const char *name)
{
	bool versioned = strcmp(name, machine->name) != 0;
	return machine->cpus == Q35_CPUS && strcmp(machine->name, "q35") == 0 &&
		version_at_least(
			versioned ? name + strlen(machine->versioned) : guest->options->version, 8,
			1);
}

static bool check_cpus_of(struct diag *diag, const struct vm *vm, const struct guest *guest,
	const struct machine *machine, const char *name)
{
	if (vm->vcpu <= machine->cpus || has_more_cpus(guest, machine, name))
		return true;
	return diag_error(diag, STATUS_DESCRIPTION, vm_where(vm, &vm->vcpu), "too-many",
		"vcpu: QEMU's machine %.40s supports at most %u, not %llu", name, machine->cpus,
		(unsigned long long)vm->vcpu);
}

static const char *machine_option(const struct guest *guest, const char *key)
{
	for (size_t i = 0; i < qemu_options(guest)->machine_opts.n; i++)
		if (strcmp(qemu_options(guest)->machine_opts.v[i].key, key) == 0)
			return qemu_options(guest)->machine_opts.v[i].value;
	return "";
}

/* QEMU 6.0 added the second I/O APIC. */
static unsigned mmio_places(const struct guest *guest)
{
	bool off = strcmp(machine_option(guest, "acpi"), "off") == 0 ||
		strcmp(machine_option(guest, "ioapic2"), "off") == 0;
	return off || !version_at_least(guest->options->version, 6, 0) ? MMIO_PLACES_ONE_IOAPIC
								       : MMIO_PLACES;
}

static bool ends_with(const char *text, size_t length, const char *end)
{
	size_t count = strlen(end);
	return length >= count && strncmp(text + length - count, end, count) == 0;
}

static bool is_pci(const char *driver, size_t length)
{
	static const char *const others[] = {"pcie-root-port", "qemu-xhci", "nec-usb-xhci",
		"virtio-vga-gl", "virtio-vga", "virtio-gpu-gl", "virtio-gpu", "e1000", "e1000e"};
	for (size_t i = 0; i < countof(others); i++)
		if (strlen(others[i]) == length && strncmp(driver, others[i], length) == 0)
			return true;
	return ends_with(driver, length, "-pci") ||
		ends_with(driver, length, "-pci-transitional") ||
		ends_with(driver, length, "-pci-non-transitional");
}

/*
 * Whether a device occupies a slot of the machine's own bus. Devices behind a port do not, and of
 * the functions at one address only the first does.
 */
static bool takes_place(const char *device, bool pci)
{
	size_t length = strcspn(device, ",");
	const char *address = strstr(device, ",addr="),
		   *function = address ? strchr(address, '.') : NULL;
	if (strstr(device, ",bus=") || (function && atoi(function + 1)))
		return false;
	return pci ? is_pci(device, length) : ends_with(device, length, "-device");
}

static const char *argument_of(const struct command *command, size_t i)
{
	const struct argument *argument = &command->arguments.v[i];
	return argument->pieces.n == 1 && argument->pieces.v[0].kind == PIECE_TEXT
		? argument->pieces.v[0].text
		: "";
}

static size_t count_devices(const struct command *command, bool pci)
{
	size_t n = 0;
	for (size_t i = 0; i + 1 < command->arguments.n; i++)
		n += strcmp(argument_of(command, i), "-device") == 0 &&
			takes_place(argument_of(command, i + 1), pci);
	return n;
}

bool qemu_check_limits(struct diag *diag, const struct vm *vm, const struct qemu *qemu)
{
	const char *name = qemu_machine_name(qemu->guest);
	const struct machine *machine = find_machine(name);
	if (!machine)
		return true;
	bool ok = check_cpus_of(diag, vm, qemu->guest, machine, name);
	return check_places(diag, qemu->guest,
		       arena_printf(qemu->arena, "QEMU's machine %.40s", name),
		       count_devices(qemu->command, qemu->pci),
		       qemu->pci ? machine->slots : mmio_places(qemu->guest)) &&
		ok;
}

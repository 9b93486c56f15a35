/* SPDX-License-Identifier: MIT */
/*
 * limits: how many CPUs and devices QEMU's machines have room for. Facts:
 * hw/i386/{microvm,pc_q35,pc_piix}.c, hw/arm/virt.c; tried with 7.2, whose message is "No
 * 'virtio-bus' bus found", or "no slot/function available".
 */
#include <stdlib.h>
#include <string.h>

#include "backends/qemu/qemu.h"

enum {
	/*
	 * The second I/O APIC has 24 interrupts, but a disk at the last one never answered the
	 * guest (7.2, TCG): it waits for ever.
	 */
	MMIO_PLACES = 23,
	MMIO_PLACES_ONE_IOAPIC = 8,
};

struct machine {
	const char *name, *versioned; /* "q35"; "pc-q35-", of pc-q35-7.2 */
	unsigned cpus, slots;         /* of its PCI bus but for what it has there itself */
};

/* q35 had 288 CPUs up to 8.0; more than the option vcpu takes since. */
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

/* NULL: nothing is known of it. */
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
		"vcpu: QEMU's machine %.40s has at most %u, not %llu", name, machine->cpus,
		(unsigned long long)vm->vcpu);
}

static const char *machine_option(const struct guest *guest, const char *key)
{
	for (size_t i = 0; i < qemu_options(guest)->machine_opts.n; i++)
		if (strcmp(qemu_options(guest)->machine_opts.v[i].key, key) == 0)
			return qemu_options(guest)->machine_opts.v[i].value;
	return "";
}

/* The second I/O APIC came with 6.0. */
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
 * Whether a device takes a place of the machine's own bus: not one behind a port, and of those at
 * one address only the first function.
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

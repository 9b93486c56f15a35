/* SPDX-License-Identifier: MIT */
/* machine: the machine, its CPU and its memory, depending on the accelerator. */
#include <string.h>

#include "backends/qemu/qemu.h"
#include "base/buf.h"

bool qemu_is_x86(const struct qemu *qemu)
{
	return qemu->guest->arch == KERNEL_X86_64;
}

const char *qemu_suffix(const struct qemu *qemu)
{
	return qemu->pci ? "pci" : "device";
}

const char *qemu_escape(struct arena *arena, const char *text)
{
	BUF_CLEANUP struct buf escaped = {0};
	for (; *text; text++)
		buf_add(&escaped, *text == ',' ? ",," : text, *text == ',' ? 2 : 1);
	return arena_strdup(arena, buf_text(&escaped));
}

const struct qemu_options *qemu_options(const struct guest *guest)
{
	return (const struct qemu_options *)guest->options;
}

const char *qemu_machine_name(const struct guest *guest)
{
	const char *given = qemu_options(guest)->machine;
	return given ? given : guest->arch == KERNEL_X86_64 ? "microvm" : "virt";
}

bool qemu_is_microvm(const struct guest *guest)
{
	return !qemu_options(guest)->machine ||
		strcmp(qemu_options(guest)->machine, "microvm") == 0;
}

static bool has_device(const struct guest *guest, enum device_bus bus)
{
	for (size_t i = 0; i < guest->ndevices; i++)
		if (guest->devices[i].bus == bus)
			return true;
	return false;
}

const struct disk *qemu_pmem(const struct guest *guest)
{
	return guest->ndisks && guest->disks[0].pmem ? &guest->disks[0] : NULL;
}

bool qemu_has_pci(const struct guest *guest)
{
	return qemu_pmem(guest) || guest->arch != KERNEL_X86_64 || !qemu_is_microvm(guest) ||
		guest->graphics.enable || guest->nshares || has_device(guest, BUS_PCI) ||
		guest->options->pcie_root_ports.n;
}

/* virtiofsd maps the guest's memory, and huge pages need a memory object too. */
static bool has_memory_object(const struct guest *guest)
{
	return !guest->on_mac && (guest->nshares || guest->hugepage_mem);
}

/* Shared memory and huge pages are not merged. */
bool qemu_merges_memory(const struct qemu *qemu)
{
	return qemu_is_x86(qemu) && !qemu->guest->on_mac &&
		!qemu_options(qemu->guest)->machine_opts.n && !has_memory_object(qemu->guest);
}

static const char *machine_options(const struct qemu *qemu)
{
	if (!qemu_is_x86(qemu))
		return ",gic-version=max";
	/* Only Linux merges memory. */
	const char *merge = qemu->guest->on_mac ? "" : ",mem-merge=on";
	if (!qemu_is_microvm(qemu->guest))
		return arena_printf(qemu->arena, ",acpi=on%s", merge);
	/* The kernel finds virtio-mmio devices through ACPI. */
	return arena_printf(qemu->arena, ",acpi=on%s,pcie=%s,pic=off,pit=off,rtc=on,usb=%s", merge,
		qemu->pci ? "on" : "off", has_device(qemu->guest, BUS_USB) ? "on" : "off");
}

/* macOS has one accelerator, which works on every Mac. */
static void add_by_accelerator(
	const struct qemu *qemu, const char *with_kvm, const char *with_hvf, const char *with_tcg)
{
	if (qemu->guest->on_mac) {
		command_add(qemu->command, qemu->guest->foreign ? with_tcg : with_hvf);
		return;
	}
	if (!qemu->guest->foreign)
		command_add_when(qemu->command, WHEN_KVM, with_kvm);
	command_add_when(qemu->command, qemu->guest->foreign ? WHEN_ALWAYS : WHEN_TCG, with_tcg);
}

/* The value of an option among the description's machineOpts, which replace ours; or NULL. */
static const char *given_machine_option(const struct guest *guest, const char *key)
{
	const struct pairs *given = &qemu_options(guest)->machine_opts;
	for (size_t i = 0; i < given->n; i++)
		if (strcmp(given->v[i].key, key) == 0)
			return given->v[i].value;
	return NULL;
}

/* QEMU accepts all of these for a property of type bool (qapi/string-input-visitor.c). */
static bool is_on(const char *value)
{
	static const char *const words[] = {"on", "yes", "true", "y"};
	for (size_t i = 0; value && i < countof(words); i++)
		if (strcmp(value, words[i]) == 0)
			return true;
	return false;
}

/*
 * The machine microvm has a PCI bus and a USB controller only if its options enable them, and only
 * with ACPI (hw/i386/microvm.c, microvm_devices_init).
 */
bool qemu_check_machine_options(struct diag *diag, const struct vm *vm, const struct qemu *qemu)
{
	const struct guest *guest = qemu->guest;
	const struct {
		bool wanted;
		const char *key, *what;
	} buses[] = {
		{qemu->pci, "pcie", "devices on a PCI bus, such as shares"},
		{has_device(guest, BUS_USB), "usb", "USB devices"},
	};
	const char *acpi = given_machine_option(guest, "acpi");
	const bool no_acpi = acpi && strcmp(acpi, "off") == 0;
	bool ok = true;
	if (!qemu_options(guest)->machine_opts.n || !qemu_is_x86(qemu) || !qemu_is_microvm(guest))
		return true;
	for (size_t i = 0; i < countof(buses); i++)
		if (buses[i].wanted &&
			(no_acpi || !is_on(given_machine_option(guest, buses[i].key))))
			ok = diag_error(diag, STATUS_DESCRIPTION,
				vm_where(vm, &qemu_options(guest)->machine_opts),
				"bad-machine-option",
				"qemu.machineOpts: the VM has %s, which the machine microvm "
				"supports only with %s: \"on\", and without acpi: \"off\"",
				buses[i].what, buses[i].key);
	return ok;
}

static const char *given_machine_options(const struct qemu *qemu)
{
	const struct pairs *given = &qemu_options(qemu->guest)->machine_opts;
	const char *text = "";
	for (size_t i = 0; i < given->n; i++)
		text = arena_printf(qemu->arena, "%s,%s=%s", text, given->v[i].key,
			qemu_escape(qemu->arena, given->v[i].value));
	return text;
}

void qemu_add_machine(const struct qemu *qemu)
{
	const struct qemu_options *given = qemu_options(qemu->guest);
	const char *machine = qemu_machine_name(qemu->guest),
		   *options = given->machine_opts.n ? given_machine_options(qemu)
						    : machine_options(qemu);
	command_add(qemu->command, "-M");
	if (given_machine_option(qemu->guest, "accel")) {
		command_printf(qemu->command, "%s%s", machine, options);
		return;
	}
	add_by_accelerator(qemu, arena_printf(qemu->arena, "%s,accel=kvm%s", machine, options),
		arena_printf(qemu->arena, "%s,accel=hvf%s", machine, options),
		arena_printf(qemu->arena, "%s,accel=tcg%s", machine, options));
}

void qemu_add_cpu(const struct qemu *qemu)
{
	command_add(qemu->command, "-cpu");
	if (qemu->guest->cpu) {
		command_add(qemu->command, qemu->guest->cpu);
		return;
	}
	/*
	 * SGX crashes microvm machines: gitlab.com/qemu-project/qemu/-/issues/2142. Emulating the
	 * architected algorithm of pointer authentication makes a guest boot four times slower.
	 */
	add_by_accelerator(qemu, qemu_is_x86(qemu) ? "host,+x2apic,-sgx" : "host", "host",
		qemu_is_x86(qemu) ? "max" : "max,pauth-impdef=on");
}

bool qemu_may_hang(const struct guest *guest)
{
	return guest->arch == KERNEL_X86_64 && qemu_is_microvm(guest) && guest->mem_mib == 2048;
}

/* With huge pages, the given size must stay: they would not divide another one. */
static unsigned long long memory_mib(const struct guest *guest)
{
	return guest->mem_mib + (qemu_may_hang(guest) && !guest->hugepage_mem ? 1 : 0);
}

/* Persistent memory needs room behind the guest's memory, as hotplugged memory does. */
void qemu_add_memory(const struct qemu *qemu)
{
	const struct guest *guest = qemu->guest;
	const struct disk *pmem = qemu_pmem(guest);
	const unsigned long long most = memory_mib(guest) + guest->hotplug_mem_mib;
	command_add(qemu->command, "-m");
	struct argument *size = command_begin(qemu->command);
	argument_text(qemu->command, size, arena_printf(qemu->arena, "%lluM", memory_mib(guest)));
	if (!pmem && !guest->hotplug_mem_mib)
		return;
	argument_text(qemu->command, size, ",maxmem=");
	if (pmem)
		argument_sum_mib(qemu->command, size, most, pmem->file.path);
	else
		argument_text(qemu->command, size, arena_printf(qemu->arena, "%llu", most));
	argument_text(qemu->command, size, "M");
}

void qemu_add_memory_object(const struct qemu *qemu)
{
	if (!has_memory_object(qemu->guest))
		return;
	option_add(qemu->command, "-numa", "node,memdev=mem");
	option_printf(qemu->command, "-object", "memory-backend-memfd,id=mem,size=%lluM,share=on%s",
		memory_mib(qemu->guest), qemu->guest->hugepage_mem ? ",hugetlb=on" : "");
}

void qemu_add_memory_devices(const struct qemu *qemu)
{
	const struct guest *guest = qemu->guest;
	if (guest->balloon)
		option_printf(qemu->command, "-device",
			"virtio-balloon-%s,free-page-reporting=on,id=balloon0%s", qemu_suffix(qemu),
			guest->deflate_on_oom ? ",deflate-on-oom=on" : "");
	if (!guest->hotplug_mem_mib)
		return;
	/* With shares, virtiofsd also maps this memory. */
	option_printf(qemu->command, "-object", "memory-backend-%s,id=vmem0,size=%lluM%s",
		has_memory_object(qemu->guest) ? "memfd" : "ram",
		(unsigned long long)guest->hotplug_mem_mib,
		has_memory_object(qemu->guest) ? ",share=on" : "");
	option_printf(qemu->command, "-device",
		"virtio-mem-pci,id=vm0,memdev=vmem0,requested-size=%lluM",
		(unsigned long long)guest->hotplugged_mem_mib);
}

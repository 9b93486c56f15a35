/* SPDX-License-Identifier: MIT */
/* qemu: QEMU on x86_64, with KVM or without. Facts of the command line: QEMU's own documentation (invocation), tried with 7.2. */
#include <stdlib.h>
#include <string.h>

#include "backends/backend.h"
#include "compiler/base/buf.h"

struct qemu {
	struct arena *arena;
	const struct guest *guest;
	const struct vm *vm;
	struct command *command;
	bool pci; /* virtio devices are on a PCI bus, else virtio-mmio */
};

static const char *machine_of(const struct vm *vm)
{
	return vm->qemu.machine ? vm->qemu.machine : "microvm";
}

static bool machine_is_microvm(const struct vm *vm)
{
	return strcmp(machine_of(vm), "microvm") == 0;
}

static bool machine_has_hotplug(const struct vm *vm)
{
	return !machine_is_microvm(vm);
}

/* QEMU's option parser splits at commas; two of them are one. */
static const char *escape_commas(struct arena *arena, const char *text)
{
	BUF_CLEANUP struct buf escaped = {0};
	for (; *text; text++)
		buf_add(&escaped, *text == ',' ? ",," : text, *text == ',' ? 2 : 1);
	return arena_strdup(arena, buf_text(&escaped));
}

/* A relative name with a colon would be read as a protocol ("nbd:…"). */
static const char *file_name(struct arena *arena, const char *path)
{
	const char *colon = strchr(path, ':');
	bool protocol = colon && path[0] != '/' && !memchr(path, '/', (size_t)(colon - path));
	return escape_commas(arena, protocol ? arena_printf(arena, "./%s", path) : path);
}

static void add_machine(const struct qemu *qemu)
{
	const struct vm *vm = qemu->vm;
	if (vm->qemu.machine_opts.n) {
		const char *text = machine_of(vm);
		for (size_t i = 0; i < vm->qemu.machine_opts.n; i++)
			text = arena_printf(qemu->arena, "%s,%s=%s", text, vm->qemu.machine_opts.v[i].key,
					    escape_commas(qemu->arena, vm->qemu.machine_opts.v[i].value));
		command_add(qemu->command, "-M");
		command_add(qemu->command, text);
		return;
	}
	/* Names in alphabetical order. The kernel finds virtio-mmio devices by ACPI. */
	const char *rest = machine_is_microvm(vm) ? arena_printf(qemu->arena, ",mem-merge=on,pcie=%s,pic=off,pit=off,rtc=on,usb=off",
								 qemu->pci ? "on" : "off")
						  : ",mem-merge=on";
	command_add(qemu->command, "-M");
	command_add_when(qemu->command, WHEN_KVM, arena_printf(qemu->arena, "%s,accel=kvm,acpi=on%s", machine_of(vm), rest));
	command_add_when(qemu->command, WHEN_TCG, arena_printf(qemu->arena, "%s,accel=tcg,acpi=on%s", machine_of(vm), rest));
}

static void add_cpu(const struct qemu *qemu)
{
	command_add(qemu->command, "-cpu");
	if (qemu->vm->cpu) {
		command_add(qemu->command, qemu->vm->cpu);
		return;
	}
	/* SGX crashes microvm machines: gitlab.com/qemu-project/qemu/-/issues/2142. */
	command_add_when(qemu->command, WHEN_KVM, "host,+x2apic,-sgx");
	command_add_when(qemu->command, WHEN_TCG, "max");
}

static void add_memory(const struct qemu *qemu)
{
	const struct vm *vm = qemu->vm;
	command_add(qemu->command, "-m");
	if (vm->hotplug_mem_mib)
		command_printf(qemu->command, "%lluM,maxmem=%lluM", (unsigned long long)vm->mem_mib,
			       (unsigned long long)(vm->mem_mib + vm->hotplug_mem_mib));
	else
		command_printf(qemu->command, "%lluM", (unsigned long long)vm->mem_mib);
}

static const char *device_suffix(const struct qemu *qemu)
{
	return qemu->pci ? "pci" : "device";
}

static void add_kernel(const struct qemu *qemu)
{
	command_add(qemu->command, "-kernel");
	command_add_file(qemu->command, &qemu->guest->kernel);
	if (qemu->guest->initrd.path) {
		command_add(qemu->command, "-initrd");
		command_add_file(qemu->command, &qemu->guest->initrd);
	}
	command_add(qemu->command, "-append");
	struct argument *append = command_begin(qemu->command);
	const char *console = qemu->vm->qemu.serial_console ? "earlyprintk=ttyS0 console=ttyS0 " : "";
	/* With -no-reboot a reset ends QEMU: after a panic too. */
	argument_text(qemu->command, append,
		      arena_printf(qemu->arena, "%sreboot=t panic=-1%s%s", console, *qemu->guest->parameters ? " " : "",
				   qemu->guest->parameters));
	argument_piece(qemu->command, append, PIECE_PARAMETERS);
}

static void add_identity(const struct qemu *qemu)
{
	const struct vm *vm = qemu->vm;
	if (vm->machine_id) {
		command_add(qemu->command, "-smbios");
		command_printf(qemu->command, "type=1,uuid=%s", vm->machine_id);
	}
	for (size_t i = 0; i < vm->credential_files.n; i++) {
		command_add(qemu->command, "-fw_cfg");
		command_printf(qemu->command, "name=opt/io.systemd.credentials/%s,file=%s", vm->credential_files.v[i].key,
			       escape_commas(qemu->arena, vm->credential_files.v[i].value));
	}
}

static void add_root_ports(const struct qemu *qemu)
{
	for (size_t i = 0; i < qemu->vm->qemu.pcie_root_ports.n; i++) {
		const struct pcie_root_port *port = &qemu->vm->qemu.pcie_root_ports.v[i];
		const char *text = arena_printf(qemu->arena, "pcie-root-port,id=%s", escape_commas(qemu->arena, port->id));
		if (port->bus)
			text = arena_printf(qemu->arena, "%s,bus=%s", text, escape_commas(qemu->arena, port->bus));
		if (port->chassis >= 0)
			text = arena_printf(qemu->arena, "%s,chassis=%lld", text, (long long)port->chassis);
		if (port->slot)
			text = arena_printf(qemu->arena, "%s,slot=%s", text, escape_commas(qemu->arena, port->slot));
		if (port->addr)
			text = arena_printf(qemu->arena, "%s,addr=%s", text, escape_commas(qemu->arena, port->addr));
		command_add(qemu->command, "-device");
		command_add(qemu->command, text);
	}
}

static void add_disk(const struct qemu *qemu, const struct disk *disk)
{
	struct command *command = qemu->command;
	command_add(command, "-drive");
	struct argument *drive = command_begin(command);
	argument_text(command, drive, arena_printf(qemu->arena, "id=%s,format=%s,file=", disk->id, disk->format));
	if (disk->file.in_runner) {
		argument_piece(command, drive, PIECE_RUNNER_COMMAS);
		argument_text(command, drive, "/");
		argument_text(command, drive, escape_commas(qemu->arena, disk->file.path));
	} else {
		argument_text(command, drive, file_name(qemu->arena, disk->file.path));
	}
	argument_text(command, drive,
		      arena_printf(qemu->arena, ",if=none,aio=io_uring%s%s,read-only=%s", disk->read_only ? "" : ",discard=unmap",
				   disk->direct ? ",cache=none" : "", disk->read_only ? "on" : "off"));
	command_add(command, "-device");
	const char *legacy = qemu->pci && !disk->volume ? ",disable-legacy=on" : "";
	command_printf(command, "virtio-blk-%s,drive=%s%s,serial=%s", device_suffix(qemu), disk->id, legacy,
		       escape_commas(qemu->arena, disk->serial));
}

static void add_control(const struct qemu *qemu)
{
	const struct vm *vm = qemu->vm;
	command_add(qemu->command, "-sandbox");
	command_add(qemu->command, "on");
	if (vm->user) {
		/* -run-with user= came with 9.1; -runas is understood by the versions that hosts have, and gone in 10.0. */
		command_add(qemu->command, "-runas");
		command_add(qemu->command, vm->user);
	}
	if (vm->socket) {
		command_add(qemu->command, "-qmp");
		command_printf(qemu->command, "unix:%s,server=on,wait=off", escape_commas(qemu->arena, vm->socket));
	}
}

static void add_memory_devices(const struct qemu *qemu)
{
	const struct vm *vm = qemu->vm;
	if (vm->balloon) {
		command_add(qemu->command, "-device");
		command_printf(qemu->command, "virtio-balloon-%s,free-page-reporting=on,id=balloon0%s", device_suffix(qemu),
			       vm->deflate_on_oom ? ",deflate-on-oom=on" : "");
	}
	if (vm->hotplug_mem_mib) {
		command_add(qemu->command, "-object");
		command_printf(qemu->command, "memory-backend-ram,id=vmem0,size=%lluM", (unsigned long long)vm->hotplug_mem_mib);
		command_add(qemu->command, "-device");
		command_printf(qemu->command, "virtio-mem-pci,id=vm0,memdev=vmem0,requested-size=%lluM",
			       (unsigned long long)vm->hotplugged_mem_mib);
	}
}

static const char *forwardings(const struct qemu *qemu)
{
	const char *text = "";
	for (size_t i = 0; i < qemu->vm->forward_ports.n; i++) {
		const struct forward_port *port = &qemu->vm->forward_ports.v[i];
		if (strcmp(port->from, "host") == 0)
			text = arena_printf(qemu->arena, "%s,hostfwd=%s:%s:%lld-%s:%lld", text, port->proto, port->host.address,
					    (long long)port->host.port, port->guest.address, (long long)port->guest.port);
		else
			text = arena_printf(qemu->arena, "%s,guestfwd=%s:%s:%lld-cmd:nc %s %lld", text, port->proto, port->guest.address,
					    (long long)port->guest.port, port->host.address, (long long)port->host.port);
	}
	return text;
}

static void add_interfaces(const struct qemu *qemu)
{
	bool forwarded = false; /* ports are forwarded by one interface */
	for (size_t i = 0; i < qemu->vm->interfaces.n; i++) {
		const struct interface *interface = &qemu->vm->interfaces.v[i];
		command_add(qemu->command, "-netdev");
		command_printf(qemu->command, "user,id=%s%s", interface->id, forwarded ? "" : forwardings(qemu));
		forwarded = true;
		command_add(qemu->command, "-device");
		command_printf(qemu->command, "virtio-net-%s,netdev=%s,mac=%s%s", device_suffix(qemu), interface->id, interface->mac,
			       qemu->pci ? ",romfile=" : "");
	}
}

static const char *program(const struct qemu *qemu)
{
	const char *name = arena_printf(qemu->arena, "qemu-system-%s", kernel_arch_name(qemu->guest->arch));
	const char *package = qemu->vm->qemu.common.package;
	return package ? arena_printf(qemu->arena, "%s/bin/%s", package, name) : name;
}

static void add_base(const struct qemu *qemu)
{
	struct command *command = qemu->command;
	command_add(command, program(qemu));
	command_add(command, "-name");
	command_add(command, qemu->vm->host_name);
	add_machine(qemu);
	add_memory(qemu);
	command_add(command, "-smp");
	command_printf(command, "%llu", (unsigned long long)qemu->vm->vcpu);
	command_add(command, "-nodefaults");
	command_add(command, "-no-user-config");
	command_add(command, "-no-reboot");
	add_kernel(qemu);
	command_add(command, "-chardev");
	command_add(command, "stdio,id=stdio,signal=off");
	command_add(command, "-device");
	command_printf(command, "virtio-rng-%s", device_suffix(qemu));
}

/* The machine "microvm" has virtio-mmio devices and no PCI bus. */
static bool uses_pci(const struct vm *vm)
{
	return !machine_is_microvm(vm) || vm->qemu.pcie_root_ports.n;
}

static void words(struct arena *arena, struct strings *list, const char *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		vec_push(arena, list, v[i]);
}

static void qemu_lower(struct arena *arena, const struct guest *guest, struct lowered *out)
{
	const struct vm *vm = guest->vm;
	out->command.arena = arena;
	const struct qemu qemu = {arena, guest, vm, &out->command, uses_pci(vm)};
	add_base(&qemu);
	add_identity(&qemu);
	add_root_ports(&qemu);
	if (vm->qemu.serial_console) {
		command_add(&out->command, "-serial");
		command_add(&out->command, "chardev:stdio");
	}
	add_cpu(&qemu);
	command_add(&out->command, "-device");
	command_add(&out->command, "i8042"); /* Ctrl-Alt-Del, the second way to ask a guest to stop */
	command_add(&out->command, "-nographic");
	for (size_t i = 0; i < guest->ndisks; i++)
		add_disk(&qemu, &guest->disks[i]);
	add_control(&qemu);
	add_memory_devices(&qemu);
	add_interfaces(&qemu);
	for (size_t i = 0; i < vm->qemu.common.extra_args.n; i++)
		command_add(&out->command, vm->qemu.common.extra_args.v[i]);

	out->falls_back_to_tcg = true;
	out->tap_multi_queue = vm->vcpu > 1;
	if (!vm->socket)
		return;
	words(arena, &out->shutdown, (const char *const[]){"shutdown", "qmp", vm->socket}, 3);
	if (vm->balloon)
		words(arena, &out->balloon,
		      (const char *const[]){"balloon", "qmp", vm->socket, arena_printf(arena, "%llu", (unsigned long long)vm->mem_mib)}, 4);
}

static void qemu_modules(struct arena *arena, const struct guest *guest, struct module_wish **wishes, size_t *count)
{
	const struct vm *vm = guest->vm;
	VEC(struct module_wish) list = {0};
	vec_push(arena, &list, (struct module_wish){uses_pci(vm) ? "virtio_pci" : "virtio_mmio", "the bus of QEMU's devices", false});
	if (guest->ndisks)
		vec_push(arena, &list, (struct module_wish){"virtio_blk", "the VM has disks", false});
	vec_push(arena, &list, (struct module_wish){"virtio_rng", "QEMU gives the guest random numbers", true});
	if (vm->interfaces.n)
		vec_push(arena, &list, (struct module_wish){"virtio_net", "the VM has network interfaces", false});
	if (vm->balloon)
		vec_push(arena, &list, (struct module_wish){"virtio_balloon", "the VM has a balloon", false});
	if (vm->hotplug_mem_mib)
		vec_push(arena, &list, (struct module_wish){"virtio_mem", "the VM has hotplug memory", false});
	if (vm->credential_files.n)
		vec_push(arena, &list, (struct module_wish){"qemu_fw_cfg", "the VM has credentials", false});
	*wishes = list.v;
	*count = list.n;
}

const struct backend qemu_backend = {
	.name = "qemu",
	.doc = "QEMU: KVM where it works, else emulation; every device",
	.tested = "boots under TCG, and with KVM inside a VM, in every run of the tests",
	.capabilities = {
		[FEATURE_USER_NETWORK] = {.can = CAN},
		[FEATURE_FORWARD_PORTS] = {.can = CAN},
		[FEATURE_CPU] = {.can = CAN},
		[FEATURE_BALLOON] = {.can = CAN},
		[FEATURE_HOTPLUG_MEMORY] = {CAN_WHEN, "with another machine than microvm, which has no virtio-mem (set qemu.machine: q35)", machine_has_hotplug},
		[FEATURE_MACHINE_ID] = {.can = CAN},
		[FEATURE_CREDENTIALS] = {.can = CAN},
		[FEATURE_SOCKET] = {.can = CAN},
		[FEATURE_USER] = {.can = CAN},
		[FEATURE_DIRECT] = {.can = CAN},
		[FEATURE_IMAGE_TYPES] = {.can = CAN},
	},
	.modules = qemu_modules,
	.lower = qemu_lower,
};

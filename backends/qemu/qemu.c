/* SPDX-License-Identifier: MIT */
/*
 * qemu: QEMU, with or without KVM. Command line according to QEMU's documentation (invocation);
 * tested with 7.2.
 */
#include <string.h>

#include "backends/interface/option_rows.h"
#include "backends/qemu/qemu.h"

static const struct option pcie_root_port_options[] = {
	{.name = "id",
		STRING(struct pcie_root_port, id),
		.shape = &shape_qemu_id,
		.required = true,
		.doc = "Name of the port."},
	{.name = "bus",
		STRING(struct pcie_root_port, bus),
		.doc = "Bus that the port is attached to."},
	{.name = "chassis", INT(struct pcie_root_port, chassis, 0, 255), .doc = "Chassis number."},
	{.name = "slot", STRING(struct pcie_root_port, slot), .doc = "Slot number."},
	{.name = "addr", STRING(struct pcie_root_port, addr), .doc = "Address on the parent bus."},
	{0},
};

static const struct option options[] = {
	{.name = "machine",
		STRING(struct qemu_options, machine),
		.def_doc = "microvm on x86_64, virt on aarch64",
		.doc = "Machine type, such as microvm or q35."},
	{.name = "machineOpts",
		PAIRS(struct qemu_options, machine_opts),
		.def_doc = "those that mvmbuild chooses",
		.doc = "Replaces the options of the machine type, except accel, which is added if "
		       "it is missing."},
	EXTRA_ARGS("QEMU"),
	{.name = "serialConsole",
		BOOL(struct qemu_options, serial_console),
		.def = "true",
		.doc = "A serial console on standard input and output."},
	{.name = "sandbox",
		BOOL(struct qemu_options, sandbox),
		.def = "true",
		.doc = "QEMU denies itself the system calls that the VM does not need (-sandbox). "
		       "false: for a QEMU that was built without seccomp, which does not start "
		       "with it. With an interface of type bridge there is never a sandbox."},
	{.name = "pcieRootPorts",
		LIST(struct hypervisor_options, pcie_root_ports, struct pcie_root_port,
			pcie_root_port_options),
		.doc = "PCIe root ports, for hot-plugging and fixed addresses."},
	PACKAGE("qemu-system-*"),
	VERSION("QEMU"),
	{0},
};

static bool machine_has_hotplug(const struct guest *guest)
{
	return !qemu_is_microvm(guest);
}

/* QEMU reads a relative name with a colon as a protocol ("nbd:…"). */
static const char *file_name(struct arena *arena, const char *path)
{
	const char *colon = strchr(path, ':');
	bool protocol = colon && path[0] != '/' && !memchr(path, '/', (size_t)(colon - path));
	return qemu_escape(arena, protocol ? arena_printf(arena, "./%s", path) : path);
}

static void add_kernel(const struct qemu *qemu)
{
	option_file(qemu->command, "-kernel", &qemu->guest->kernel);
	option_file(qemu->command, "-initrd", &qemu->guest->initrd);
	/*
	 * The kernel's real-mode code prints through the BIOS and, with earlyprintk, also to the
	 * serial port (arch/x86/boot/tty.c); QEMU's BIOS prints to the same port. Its only message,
	 * "Probing EDD", would appear with each character twice.
	 */
	const char *serial =
		qemu_is_x86(qemu) ? "earlyprintk=ttyS0 console=ttyS0 edd=off " : "console=ttyAMA0 ";
	/* With -no-reboot a reset ends QEMU, after a panic too. */
	option_parameters(qemu->command, "-append",
		arena_printf(qemu->arena, "%sreboot=t panic=-1",
			qemu_options(qemu->guest)->serial_console ? serial : ""),
		qemu->guest);
}

/* QEMU 7.1 added -action panic=exit-failure. */
static bool reports_panic(const struct guest *guest)
{
	return version_at_least(guest->options->version, 7, 1);
}

/*
 * A panic ends QEMU with status 1 if the guest has the device's driver. Otherwise the reset that
 * follows a panic ends it with status 0.
 */
static void add_panic(const struct qemu *qemu)
{
	if (!reports_panic(qemu->guest))
		return;
	option_add(qemu->command, "-device", qemu_is_x86(qemu) ? "pvpanic" : "pvpanic-pci");
	option_add(qemu->command, "-action", "panic=exit-failure");
}

/*
 * The machine microvm creates no SMBIOS tables (hw/i386/microvm.c), and on aarch64 only UEFI would
 * pass them on.
 */
static bool qemu_smbios(const struct guest *guest)
{
	return guest->arch == KERNEL_X86_64 && !qemu_is_microvm(guest);
}

static void add_identity(const struct qemu *qemu)
{
	const struct guest *guest = qemu->guest;
	if (guest->machine_id && qemu_smbios(guest))
		option_printf(qemu->command, "-smbios", "type=1,uuid=%s", guest->machine_id);
	if (guest->vsock.notify)
		option_printf(qemu->command, "-fw_cfg",
			"name=opt/io.systemd.credentials/"
			"vmm.notify_socket,string=vsock-stream:2:%lld",
			notify_port(guest));
	for (size_t i = 0; i < guest->credential_files.n; i++)
		option_printf(qemu->command, "-fw_cfg",
			"name=opt/io.systemd.credentials/%s,file=%s",
			guest->credential_files.v[i].key,
			qemu_escape(qemu->arena, guest->credential_files.v[i].value));
}

static void add_root_ports(const struct qemu *qemu)
{
	for (size_t i = 0; i < qemu->guest->options->pcie_root_ports.n; i++) {
		const struct pcie_root_port *port = &qemu->guest->options->pcie_root_ports.v[i];
		const char *text = arena_printf(
			qemu->arena, "pcie-root-port,id=%s", qemu_escape(qemu->arena, port->id));
		if (port->bus)
			text = arena_printf(qemu->arena, "%s,bus=%s", text,
				qemu_escape(qemu->arena, port->bus));
		if (port->chassis >= 0)
			text = arena_printf(
				qemu->arena, "%s,chassis=%lld", text, (long long)port->chassis);
		if (port->slot)
			text = arena_printf(qemu->arena, "%s,slot=%s", text,
				qemu_escape(qemu->arena, port->slot));
		if (port->addr)
			text = arena_printf(qemu->arena, "%s,addr=%s", text,
				qemu_escape(qemu->arena, port->addr));
		option_add(qemu->command, "-device", text);
	}
}

/* QEMU's name of the format; it calls vhd "vpc". */
static const char *format_name(enum image_type format)
{
	return format == IMAGE_VHD ? "vpc" : image_type_names[format];
}

/*
 * The file is mapped read-only and shared: all VMs and the host use the same pages. Its size must
 * be given, and be a multiple of 2 MiB.
 */
static void add_pmem(const struct qemu *qemu, const struct disk *disk)
{
	struct command *command = qemu->command;
	command_add(command, "-object");
	struct argument *object = command_begin(command);
	argument_text(command, object,
		arena_printf(qemu->arena,
			"memory-backend-file,id=%s,share=on,readonly=on,mem-path=", disk->id));
	argument_file(command, object, &disk->file, PIECE_RUNNER_COMMAS);
	argument_text(command, object, ",size=");
	argument_file_bytes(command, object, disk->file.path);
	option_printf(
		command, "-device", "virtio-pmem-pci,id=pmem-%s,memdev=%s", disk->id, disk->id);
}

static void add_disk(const struct qemu *qemu, const struct disk *disk)
{
	if (disk->pmem) {
		add_pmem(qemu, disk);
		return;
	}
	struct command *command = qemu->command;
	command_add(command, "-drive");
	struct argument *drive = command_begin(command);
	argument_text(command, drive,
		arena_printf(
			qemu->arena, "id=%s,format=%s,file=", disk->id, format_name(disk->format)));
	const struct file_ref file = {
		file_name(qemu->arena, disk->file.path), disk->file.in_runner};
	argument_file(command, drive, &file, PIECE_RUNNER_COMMAS);
	argument_text(command, drive, ",if=none,aio=");
	if (qemu->guest->on_mac)
		argument_text(command, drive, "threads");
	else
		argument_piece(command, drive, PIECE_AIO);
	if (!disk->read_only)
		argument_text(command, drive, ",discard=unmap");
	if (disk->direct)
		argument_direct(command, drive, &disk->file, ",cache=none", "");
	argument_text(command, drive, disk->read_only ? ",read-only=on" : ",read-only=off");
	const char *legacy = qemu->pci && !disk->volume ? ",disable-legacy=on" : "";
	option_printf(command, "-device", "virtio-blk-%s,drive=%s%s,serial=%s", qemu_suffix(qemu),
		disk->id, legacy, qemu_escape(qemu->arena, disk->serial));
}

/* QEMU 9.1 added -run-with user=, and 10.0 removed -runas. */
static void add_user(const struct qemu *qemu)
{
	struct command *command = qemu->command;
	const struct guest *guest = qemu->guest;
	struct argument *argument;
	if (guest->options->version && version_at_least(guest->options->version, 9, 1)) {
		option_printf(command, "-run-with", "user=%s", guest->user);
		return;
	}
	if (guest->options->version) {
		option_add(command, "-runas", guest->user);
		return;
	}
	argument_piece(command, command_begin(command), PIECE_RUN_AS);
	argument = command_begin(command);
	argument_piece(command, argument, PIECE_RUN_AS_KEY);
	argument_text(command, argument, guest->user);
}

static void add_control(const struct qemu *qemu)
{
	const struct guest *guest = qemu->guest;
	qemu_add_sandbox(qemu);
	if (guest->user)
		add_user(qemu);
	if (guest->socket)
		option_printf(qemu->command, "-qmp", "unix:%s,server=on,wait=off",
			qemu_escape(qemu->arena, guest->socket));
}

static void add_shares(const struct qemu *qemu)
{
	struct command *command = qemu->command;
	for (size_t i = 0; i < qemu->guest->nshares; i++) {
		const struct share *share = qemu->guest->shares[i];
		bool virtiofs = share->proto == SHARE_VIRTIOFS;
		const char *tag = qemu_escape(qemu->arena, share->tag);
		if (virtiofs) {
			option_printf(command, "-chardev", "socket,id=fs%zu,path=%s", i,
				qemu_escape(qemu->arena, share->socket));
			option_printf(command, "-device", "vhost-user-fs-%s,chardev=fs%zu,tag=%s",
				qemu_suffix(qemu), i, tag);
			continue;
		}
		/*
		 * Files of different file systems below one directory can have equal inode numbers,
		 * and the guest would mistake one for the other.
		 */
		option_printf(command, "-fsdev",
			"local,id=fs%zu,path=%s,security_model=%s,readonly=%s,multidevs=remap", i,
			qemu_escape(qemu->arena, share->source),
			security_model_names[share->security_model],
			share->read_only ? "true" : "false");
		option_printf(command, "-device", "virtio-9p-%s,fsdev=fs%zu,mount_tag=%s",
			qemu_suffix(qemu), i, tag);
	}
}

static void add_pci_device(const struct qemu *qemu, const struct device *device)
{
	const char *text = arena_printf(qemu->arena, "vfio-pci,host=%s,multifunction=on",
		qemu_escape(qemu->arena, device->path));
	if (device->qemu.id)
		text = arena_printf(
			qemu->arena, "%s,id=%s", text, qemu_escape(qemu->arena, device->qemu.id));
	if (device->qemu.bus)
		text = arena_printf(
			qemu->arena, "%s,bus=%s", text, qemu_escape(qemu->arena, device->qemu.bus));
	if (device->qemu.device_extra_args)
		text = arena_printf(qemu->arena, "%s,%s", text, device->qemu.device_extra_args);
	option_add(qemu->command, "-device", text);
}

/* A device must follow the bus that it is on. The machine "microvm" has its own USB controller. */
static void add_devices(const struct qemu *qemu)
{
	bool controller = qemu_is_microvm(qemu->guest) || qemu->guest->graphics.enable;
	for (size_t i = 0; i < qemu->guest->ndevices; i++) {
		const struct device *device = &qemu->guest->devices[i];
		if (device->bus == BUS_PCI) {
			add_pci_device(qemu, device);
			continue;
		}
		if (!controller)
			option_add(qemu->command, "-device", "qemu-xhci");
		controller = true;
		option_printf(qemu->command, "-device", "usb-host,%s", device->path);
	}
}

static void add_display(const struct qemu *qemu)
{
	static const struct display_words {
		const char *display, *device;
		bool vulkan;
	} displays[] = {
		[DISPLAY_GTK] = {"gtk,gl=on", "virtio-vga-gl", true},
		[DISPLAY_COCOA] = {"cocoa", "virtio-gpu", false},
		[DISPLAY_HEADLESS] = {"egl-headless", "virtio-gpu-gl", true},
	};
	const struct guest *guest = qemu->guest;
	if (!guest->graphics.enable) {
		command_add(qemu->command, "-nographic");
		return;
	}
	const struct display_words *words = &displays[guest->graphics.backend];
	const char *vulkan = guest->graphics.vulkan != NO_VULKAN && words->vulkan
		? arena_printf(qemu->arena, ",blob=true,hostmem=%s,%s=on", guest->graphics.hostmem,
			  vulkan_names[guest->graphics.vulkan])
		: "";
	option_add(qemu->command, "-display", words->display);
	option_printf(qemu->command, "-device", "%s%s", words->device, vulkan);
	static const char *const inputs[] = {"qemu-xhci", "usb-tablet", "usb-kbd"};
	for (size_t i = 0; i < countof(inputs); i++)
		option_add(qemu->command, "-device", inputs[i]);
}

/* Adds the arguments in the order of the command line. */
static void add_all(const struct qemu *qemu)
{
	struct command *command = qemu->command;
	const struct guest *guest = qemu->guest;
	const char *name =
		arena_printf(qemu->arena, "qemu-system-%s", kernel_arch_name(qemu->guest->arch));
	command_add(command, program_path(qemu->arena, guest->options->package, name));
	option_add(command, "-name", guest->host_name);
	qemu_add_machine(qemu);
	qemu_add_memory(qemu);
	option_printf(command, "-smp", "%llu", (unsigned long long)guest->vcpu);
	command_add(command, "-nodefaults");
	command_add(command, "-no-user-config");
	command_add(command, "-no-reboot");
	add_kernel(qemu);
	option_add(command, "-chardev", "stdio,id=stdio,signal=off");
	option_printf(command, "-device", "virtio-rng-%s", qemu_suffix(qemu));
	add_panic(qemu);
	qemu_add_memory_object(qemu);
	add_identity(qemu);
	add_root_ports(qemu);
	if (qemu_options(guest)->serial_console)
		option_add(command, "-serial", "chardev:stdio");
	qemu_add_cpu(qemu);
	if (qemu_is_x86(qemu))
		option_add(command, "-device",
			/* needed for Ctrl-Alt-Del, the second way to request a shutdown */
			"i8042");
	add_display(qemu);
	for (size_t i = 0; i < qemu->guest->ndisks; i++)
		add_disk(qemu, &qemu->guest->disks[i]);
	add_control(qemu);
	qemu_add_memory_devices(qemu);
	add_shares(qemu);
	qemu_add_interfaces(qemu);
	add_devices(qemu);
	if (guest->vsock.cid >= 0)
		option_printf(command, "-device", "vhost-vsock-%s,guest-cid=%lld",
			qemu_suffix(qemu), (long long)guest->vsock.cid);
	command_add_all(command, &guest->options->extra_args);
}

static void refuse_on_mac(
	struct diag *diag, const struct pos *where, const char *what, const char *instead)
{
	diag_error(diag, STATUS_DESCRIPTION, where, "not-supported",
		"%s: QEMU on macOS does not support this%s", what, instead);
}

/* Linux alone has taps, virtiofsd, vhost, VFIO and huge pages. */
static void qemu_check_mac(struct diag *diag, const struct vm *vm)
{
	for (size_t i = 0; i < vm->interfaces.n; i++)
		if (vm->interfaces.v[i].type != INTERFACE_USER)
			refuse_on_mac(
				diag, &vm->interfaces.v[i].where, "interfaces", "; set type: user");
	for (size_t i = 0; i < vm->shares.n; i++)
		if (vm->shares.v[i].proto == SHARE_VIRTIOFS)
			refuse_on_mac(diag, &vm->shares.v[i].where, "shares", "; set proto: 9p");
	if (vm->devices.n)
		refuse_on_mac(diag, vm_where(vm, &vm->devices), "devices", "");
	if (vm->vsock.cid >= 0)
		refuse_on_mac(diag, vm_where(vm, &vm->vsock.cid), "vsock.cid", "");
	if (vm->hugepage_mem)
		refuse_on_mac(diag, vm_where(vm, &vm->hugepage_mem), "hugepageMem", "");
	if (vm->graphics.enable && vm->graphics.backend != DISPLAY_COCOA)
		refuse_on_mac(diag, vm_where(vm, &vm->graphics.enable), "graphics.backend",
			"; set graphics.backend: cocoa");
}

static void qemu_check(struct diag *diag, const struct vm *vm, const struct guest *guest)
{
	if (guest->on_mac)
		qemu_check_mac(diag, vm);
	if (qemu_may_hang(guest) && vm->hugepage_mem)
		diag_warning(diag, vm_where(vm, &vm->mem_mib), "qemu-2048",
			"mem: QEMU's microvm machine may hang with exactly 2048 MiB; use 2050, or "
			"another machine");
}

static bool qemu_check_guest(struct diag *diag, const struct vm *vm, const struct guest *guest)
{
	struct arena *arena = arena_new();
	struct command command = {.arena = arena};
	const struct qemu qemu = {arena, guest, &command, qemu_has_pci(guest)};
	add_all(&qemu);
	bool ok = qemu_check_limits(diag, vm, &qemu);
	ok &= qemu_check_machine_options(diag, vm, &qemu);
	arena_free(arena);
	return ok;
}

/* A CPU may be followed by its features. */
static void list_names(struct arena *arena, const struct guest *guest, struct lowered *out)
{
	const char *machine = qemu_options(guest)->machine, *cpu = guest->cpu;
	if (machine)
		vec_push(arena, &out->listed,
			(struct listed_name){"qemu.machine", machine, "-machine"});
	if (cpu)
		vec_push(arena, &out->listed,
			(struct listed_name){
				"cpu", arena_strndup(arena, cpu, strcspn(cpu, ",")), "-cpu"});
}

static void qemu_lower(struct arena *arena, const struct guest *guest, struct lowered *out)
{
	out->command.arena = arena;
	const struct qemu qemu = {arena, guest, &out->command, qemu_has_pci(guest)};
	add_all(&qemu);
	out->accel = guest->on_mac ? ACCEL_MACOS : guest->foreign ? ACCEL_TCG : ACCEL_PROBE;
	out->merges_memory = qemu_merges_memory(&qemu);
	const struct control control = {.protocol = "qmp", .address = guest->socket};
	if (guest->socket)
		vec_push(arena, &out->sockets, guest->socket);
	lower_shutdown(arena, &control, out);
	if (!guest->on_mac) {
		lower_state(arena, &control, out);
		lower_balloon(arena, &control, guest, out);
	}
	lower_notify(arena, guest, out);
	list_names(arena, guest, out);
}

static void qemu_modules(
	struct arena *arena, const struct guest *guest, struct module_wishes *wishes)
{
	bool x86 = guest->arch == KERNEL_X86_64, pci = qemu_has_pci(guest);
	/* First, so that a panic in a later module is reported. */
	if (reports_panic(guest))
		vec_push(arena, wishes,
			(struct module_wish){x86 ? "pvpanic_mmio" : "pvpanic_pci",
				"a panic is reported to QEMU", true, NULL});
	vec_push(arena, wishes,
		(struct module_wish){pci ? "virtio_pci" : "virtio_mmio",
			"it is the bus of QEMU's devices", false, NULL});
	if (guest->credential_files.n || guest->vsock.notify)
		vec_push(arena, wishes,
			(struct module_wish){"qemu_fw_cfg", "the VM has credentials", false, NULL});
}

/*
 * A microvm machine without ACPI, possible through machineOpts, announces its devices by kernel
 * parameters: hw/i386/microvm.c, microvm_fix_kernel_cmdline.
 */
static size_t qemu_parameter_bytes(const struct guest *guest)
{
	bool announced = guest->arch == KERNEL_X86_64 && qemu_is_microvm(guest) &&
		qemu_options(guest)->machine_opts.n;
	return announced ? mmio_parameter_bytes(guest->ndisks + guest->nnics + 1 + guest->balloon +
				   (guest->vsock.cid >= 0))
			 : 0;
}

static const enum kernel_format kernels[] = {
	KERNEL_BZIMAGE, KERNEL_ELF, KERNEL_ARM64_IMAGE, KERNEL_ARM64_IMAGE_GZ};

const struct backend qemu_backend = {
	.name = "qemu",
	.doc = "QEMU: KVM if it works, otherwise emulation; every device",
	.tested = "boots under TCG, and with KVM inside a VM (with vhost-net, vsock and a PCI "
		  "device), in every run of the tests",
	.title = "QEMU",
	.options = options,
	.options_bytes = sizeof(struct qemu_options),
	.also_macos = true,
	.capabilities =
		{
			[FEATURE_9P] = {.can = CAN},
			[FEATURE_VIRTIOFS] = {.can = CAN},
			[FEATURE_SHARE_DAX] = {CAN_NOT,
				"its vhost-user-fs device has no window for DAX", NULL},
			[FEATURE_USER_NETWORK] = {.can = CAN},
			[FEATURE_FORWARD_PORTS] = {.can = CAN},
			[FEATURE_TAP] = {.can = CAN},
			[FEATURE_VHOST_NET] = {.can = CAN},
			[FEATURE_MACVTAP] = {.can = CAN},
			[FEATURE_BRIDGE] = {.can = CAN},
			[FEATURE_VSOCK] = {.can = CAN},
			[FEATURE_NOTIFY] = {.can = CAN},
			[FEATURE_PCI_DEVICES] = {.can = CAN},
			[FEATURE_USB_DEVICES] = {.can = CAN},
			[FEATURE_ROOT_PORTS] = {.can = CAN},
			[FEATURE_GRAPHICS] = {.can = CAN},
			[FEATURE_CPU] = {.can = CAN},
			[FEATURE_HUGEPAGES] = {.can = CAN},
			[FEATURE_HOTPLUG_MEMORY] = {CAN_WHEN,
				"with another machine than microvm, which has no virtio-mem (set "
				"qemu.machine: q35)",
				machine_has_hotplug},
			[FEATURE_BALLOON] = {.can = CAN},
			[FEATURE_INITIAL_BALLOON] = {CAN_NOT, BALLOON_ONCE_IT_RUNS, NULL},
			[FEATURE_MACHINE_ID] = {.can = CAN},
			[FEATURE_CREDENTIALS] = {.can = CAN},
			[FEATURE_NO_SOCKET] = {.can = CAN},
			[FEATURE_USER] = {.can = CAN},
			[FEATURE_READ_ONLY_VOLUMES] = {.can = CAN},
			[FEATURE_DIRECT] = {.can = CAN},
			[FEATURE_SERIAL] = {.can = CAN},
			/*
			 * microvm_get_hotplug_handler (hw/i386/microvm.c) places only CPUs, so the
			 * device gets no address: the guest is told 0, as seen with QEMU 7.2.
			 */
			[FEATURE_PMEM] = {CAN_WHEN,
				"with another machine than microvm, which gives it no address (set "
				"qemu.machine: q35)",
				machine_has_hotplug},
			[FEATURE_STORE_DIRECT] = {.can = CAN},
			[FEATURE_QCOW2] = {.can = CAN},
			[FEATURE_VHD] = {.can = CAN},
			[FEATURE_EXTRA_ARGS] = {.can = CAN},
		},
	.kernels = kernels,
	.nkernels = countof(kernels),
	.disk_serials = true,
	.locks_disks = locks_always,
	.multi_queue = true,
	.parameter_bytes = qemu_parameter_bytes,
	.check = qemu_check,
	.check_guest = qemu_check_guest,
	.hugetlb = "default",
	.smbios = qemu_smbios,
	.modules = qemu_modules,
	.lower = qemu_lower,
};

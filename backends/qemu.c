/* SPDX-License-Identifier: MIT */
/* qemu: QEMU on x86_64, with KVM or without. Facts of the command line: QEMU's own documentation (invocation), tried with 7.2. */
#include <stdlib.h>
#include <string.h>

#include "backends/parts.h"
#include "compiler/base/buf.h"

struct qemu {
	struct arena *arena;
	const struct guest *guest;
	const struct vm *vm;
	struct command *command;
	bool pci; /* virtio devices are on a PCI bus, else virtio-mmio */
};

static bool is_x86(const struct qemu *qemu)
{
	return qemu->guest->arch == KERNEL_X86_64;
}

static const char *machine_of(const struct vm *vm, enum kernel_arch arch)
{
	return vm->qemu.machine ? vm->qemu.machine : arch == KERNEL_X86_64 ? "microvm" : "virt";
}

/* The only x86 machine without a PCI bus, unless it is asked for one. */
static bool machine_is_microvm(const struct vm *vm)
{
	return !vm->qemu.machine || strcmp(vm->qemu.machine, "microvm") == 0;
}

static bool machine_has_hotplug(const struct vm *vm)
{
	return !machine_is_microvm(vm);
}

static bool has_device(const struct vm *vm, const char *bus)
{
	for (size_t i = 0; i < vm->devices.n; i++)
		if (strcmp(vm->devices.v[i].bus, bus) == 0)
			return true;
	return false;
}

static bool has_bridge(const struct vm *vm)
{
	for (size_t i = 0; i < vm->interfaces.n; i++)
		if (strcmp(vm->interfaces.v[i].type, "bridge") == 0)
			return true;
	return false;
}

/* virtiofs maps the guest's memory; huge pages come by a memory object too. */
static bool has_memory_object(const struct vm *vm)
{
	return vm->shares.n || vm->hugepage_mem;
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

static const char *machine_options(const struct qemu *qemu)
{
	if (!is_x86(qemu))
		return ",gic-version=max";
	if (!machine_is_microvm(qemu->vm))
		return ",acpi=on,mem-merge=on";
	/* The kernel finds virtio-mmio devices by ACPI. */
	return arena_printf(qemu->arena, ",acpi=on,mem-merge=on,pcie=%s,pic=off,pit=off,rtc=on,usb=%s", qemu->pci ? "on" : "off",
			    has_device(qemu->vm, "usb") ? "on" : "off");
}

static void add_by_accelerator(const struct qemu *qemu, const char *with_kvm, const char *with_tcg)
{
	if (!qemu->guest->foreign)
		command_add_when(qemu->command, WHEN_KVM, with_kvm);
	command_add_when(qemu->command, qemu->guest->foreign ? WHEN_ALWAYS : WHEN_TCG, with_tcg);
}

static void add_machine(const struct qemu *qemu)
{
	const struct vm *vm = qemu->vm;
	const char *machine = machine_of(vm, qemu->guest->arch), *text = machine;
	command_add(qemu->command, "-M");
	for (size_t i = 0; i < vm->qemu.machine_opts.n; i++)
		text = arena_printf(qemu->arena, "%s,%s=%s", text, vm->qemu.machine_opts.v[i].key,
				    escape_commas(qemu->arena, vm->qemu.machine_opts.v[i].value));
	if (vm->qemu.machine_opts.n) {
		command_add(qemu->command, text);
		return;
	}
	const char *options = machine_options(qemu);
	add_by_accelerator(qemu, arena_printf(qemu->arena, "%s,accel=kvm%s", machine, options),
			   arena_printf(qemu->arena, "%s,accel=tcg%s", machine, options));
}

static void add_cpu(const struct qemu *qemu)
{
	command_add(qemu->command, "-cpu");
	if (qemu->vm->cpu) {
		command_add(qemu->command, qemu->vm->cpu);
		return;
	}
	/*
	 * SGX crashes microvm machines: gitlab.com/qemu-project/qemu/-/issues/2142. Emulating the architecture's own algorithm of pointer
	 * authentication makes a guest start four times slower.
	 */
	add_by_accelerator(qemu, is_x86(qemu) ? "host,+x2apic,-sgx" : "host", is_x86(qemu) ? "max" : "max,pauth-impdef=on");
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
	option_file(qemu->command, "-kernel", &qemu->guest->kernel);
	option_file(qemu->command, "-initrd", &qemu->guest->initrd);
	const char *serial = is_x86(qemu) ? "earlyprintk=ttyS0 console=ttyS0 " : "console=ttyAMA0 ";
	/* With -no-reboot a reset ends QEMU: after a panic too. */
	option_parameters(qemu->command, "-append",
			  arena_printf(qemu->arena, "%sreboot=t panic=-1", qemu->vm->qemu.serial_console ? serial : ""), qemu->guest);
}

/* -action panic=exit-failure came with 7.1. */
static bool tells_panic(const struct vm *vm)
{
	return version_at_least(vm->qemu.common.version, 7, 1);
}

/* A panic ends QEMU with status 1, when the guest has the device's driver; the reset that follows a panic would be status 0. */
static void add_panic(const struct qemu *qemu)
{
	if (!tells_panic(qemu->vm))
		return;
	command_add(qemu->command, "-device");
	command_add(qemu->command, is_x86(qemu) ? "pvpanic" : "pvpanic-pci");
	command_add(qemu->command, "-action");
	command_add(qemu->command, "panic=exit-failure");
}

static void add_identity(const struct qemu *qemu)
{
	const struct vm *vm = qemu->vm;
	if (vm->machine_id)
		option_printf(qemu->command, "-smbios", "type=1,uuid=%s", vm->machine_id);
	for (size_t i = 0; i < vm->credential_files.n; i++)
		option_printf(qemu->command, "-fw_cfg", "name=opt/io.systemd.credentials/%s,file=%s", vm->credential_files.v[i].key,
			      escape_commas(qemu->arena, vm->credential_files.v[i].value));
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
		option_add(qemu->command, "-device", text);
	}
}

/* What QEMU calls the format of a vhd image. */
static const char *format_name(const char *format)
{
	return strcmp(format, "vhd") == 0 ? "vpc" : format;
}

static void add_disk(const struct qemu *qemu, const struct disk *disk)
{
	struct command *command = qemu->command;
	command_add(command, "-drive");
	struct argument *drive = command_begin(command);
	argument_text(command, drive, arena_printf(qemu->arena, "id=%s,format=%s,file=", disk->id, format_name(disk->format)));
	const struct file_ref file = {file_name(qemu->arena, disk->file.path), disk->file.in_runner};
	argument_file(command, drive, &file, PIECE_RUNNER_COMMAS);
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
	/* The sandbox keeps privileges from being gained, which the setuid bridge helper has to. */
	if (!has_bridge(vm))
		option_add(qemu->command, "-sandbox", "on");
	/* -run-with user= came with 9.1, and -runas went with 10.0. */
	if (vm->user && version_at_least(vm->qemu.common.version, 9, 1))
		option_printf(qemu->command, "-run-with", "user=%s", vm->user);
	else if (vm->user)
		option_add(qemu->command, "-runas", vm->user);
	if (vm->socket)
		option_printf(qemu->command, "-qmp", "unix:%s,server=on,wait=off", escape_commas(qemu->arena, vm->socket));
}

static void add_memory_object(const struct qemu *qemu)
{
	if (!has_memory_object(qemu->vm))
		return;
	option_add(qemu->command, "-numa", "node,memdev=mem");
	option_printf(qemu->command, "-object", "memory-backend-memfd,id=mem,size=%lluM,share=on%s", (unsigned long long)qemu->vm->mem_mib,
		      qemu->vm->hugepage_mem ? ",hugetlb=on" : "");
}

static void add_memory_devices(const struct qemu *qemu)
{
	const struct vm *vm = qemu->vm;
	if (vm->balloon)
		option_printf(qemu->command, "-device", "virtio-balloon-%s,free-page-reporting=on,id=balloon0%s", device_suffix(qemu),
			      vm->deflate_on_oom ? ",deflate-on-oom=on" : "");
	if (!vm->hotplug_mem_mib)
		return;
	/* With shares, virtiofsd maps this memory too. */
	option_printf(qemu->command, "-object", "memory-backend-%s,id=vmem0,size=%lluM%s", has_memory_object(vm) ? "memfd" : "ram",
		      (unsigned long long)vm->hotplug_mem_mib, has_memory_object(vm) ? ",share=on" : "");
	option_printf(qemu->command, "-device", "virtio-mem-pci,id=vm0,memdev=vmem0,requested-size=%lluM", (unsigned long long)vm->hotplugged_mem_mib);
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

static void add_tap_source(const struct qemu *qemu, struct argument *argument, const struct nic *nic)
{
	const struct interface *interface = nic->interface;
	if (strcmp(interface->type, "macvtap") == 0) {
		const char *fds = "";
		for (unsigned i = 0; i < nic->queues; i++)
			fds = arena_printf(qemu->arena, "%s%s%d", fds, i ? ":" : "", nic->fds[i]);
		argument_text(qemu->command, argument, arena_printf(qemu->arena, ",%s=%s", nic->queues == 1 ? "fd" : "fds", fds));
		return;
	}
	argument_text(qemu->command, argument, arena_printf(qemu->arena, ",ifname=%s,script=no,downscript=no", interface->id));
	if (interface->tap.vhost)
		argument_text(qemu->command, argument, ",vhost=on");
	if (nic->queues > 1)
		argument_text(qemu->command, argument, arena_printf(qemu->arena, ",queues=%u", nic->queues));
}

static void add_netdev(const struct qemu *qemu, const struct nic *nic, bool forwards)
{
	const struct interface *interface = nic->interface;
	const char *type = strcmp(interface->type, "macvtap") == 0 ? "tap" : interface->type;
	command_add(qemu->command, "-netdev");
	struct argument *argument = command_begin(qemu->command);
	argument_text(qemu->command, argument, arena_printf(qemu->arena, "%s,id=%s", type, interface->id));
	if (strcmp(type, "tap") == 0) {
		add_tap_source(qemu, argument, nic);
	} else if (strcmp(type, "bridge") == 0) {
		argument_text(qemu->command, argument, arena_printf(qemu->arena, ",br=%s,helper=", interface->bridge));
		argument_piece(qemu->command, argument, PIECE_BRIDGE_HELPER);
	} else if (forwards) {
		argument_text(qemu->command, argument, forwardings(qemu));
	}
}

static void add_interfaces(const struct qemu *qemu)
{
	bool forwarded = false; /* ports are forwarded by one interface: the host's port can be bound once */
	for (size_t i = 0; i < qemu->guest->nnics; i++) {
		const struct nic *nic = &qemu->guest->nics[i];
		bool user = strcmp(nic->interface->type, "user") == 0;
		add_netdev(qemu, nic, user && !forwarded);
		forwarded |= user;
		/* More queues than the backend serves would swallow packets: user and bridge have one. */
		const char *queues = nic->queues > 1 && qemu->pci ? arena_printf(qemu->arena, ",mq=on,vectors=%u", 2 * nic->queues + 2) : "";
		option_printf(qemu->command, "-device", "virtio-net-%s,netdev=%s,mac=%s%s%s", device_suffix(qemu), nic->interface->id, nic->interface->mac,
			      qemu->pci ? ",romfile=" : "", queues);
	}
}

static void add_shares(const struct qemu *qemu)
{
	for (size_t i = 0; i < qemu->vm->shares.n; i++) {
		const struct share *share = &qemu->vm->shares.v[i];
		bool virtiofs = strcmp(share->proto, "virtiofs") == 0;
		const char *tag = escape_commas(qemu->arena, share->tag);
		command_add(qemu->command, virtiofs ? "-chardev" : "-fsdev");
		if (virtiofs)
			command_printf(qemu->command, "socket,id=fs%zu,path=%s", i, escape_commas(qemu->arena, share->socket));
		else
			command_printf(qemu->command, "local,id=fs%zu,path=%s,security_model=%s,readonly=%s", i,
				       escape_commas(qemu->arena, share->source), share->security_model, share->read_only ? "true" : "false");
		command_add(qemu->command, "-device");
		if (virtiofs)
			command_printf(qemu->command, "vhost-user-fs-%s,chardev=fs%zu,tag=%s", device_suffix(qemu), i, tag);
		else
			command_printf(qemu->command, "virtio-9p-%s,fsdev=fs%zu,mount_tag=%s", device_suffix(qemu), i, tag);
	}
}

static void add_pci_device(const struct qemu *qemu, const struct device *device)
{
	const char *text = arena_printf(qemu->arena, "vfio-pci,host=%s,multifunction=on", escape_commas(qemu->arena, device->path));
	if (device->qemu.id)
		text = arena_printf(qemu->arena, "%s,id=%s", text, escape_commas(qemu->arena, device->qemu.id));
	if (device->qemu.bus)
		text = arena_printf(qemu->arena, "%s,bus=%s", text, escape_commas(qemu->arena, device->qemu.bus));
	if (device->qemu.device_extra_args)
		text = arena_printf(qemu->arena, "%s,%s", text, device->qemu.device_extra_args);
	option_add(qemu->command, "-device", text);
}

/* Devices come behind the bus that they are on. The machine "microvm" has a USB controller of its own. */
static void add_devices(const struct qemu *qemu)
{
	bool controller = machine_is_microvm(qemu->vm) || qemu->vm->graphics.enable;
	for (size_t i = 0; i < qemu->vm->devices.n; i++) {
		const struct device *device = &qemu->vm->devices.v[i];
		if (strcmp(device->bus, "pci") == 0) {
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
	static const struct {
		const char *backend, *display, *device;
		bool vulkan;
	} displays[] = {
		{"gtk", "gtk,gl=on", "virtio-vga-gl", true},
		{"cocoa", "cocoa", "virtio-gpu", false},
		{"headless", "egl-headless", "virtio-gpu-gl", true},
	};
	const struct vm *vm = qemu->vm;
	if (!vm->graphics.enable) {
		command_add(qemu->command, "-nographic");
		return;
	}
	for (size_t i = 0; i < countof(displays); i++) {
		if (strcmp(vm->graphics.backend, displays[i].backend) != 0)
			continue;
		const char *vulkan = vm->graphics.vulkan && displays[i].vulkan
					     ? arena_printf(qemu->arena, ",blob=true,hostmem=%s,%s=on", vm->graphics.hostmem, vm->graphics.vulkan)
					     : "";
		option_add(qemu->command, "-display", displays[i].display);
		option_printf(qemu->command, "-device", "%s%s", displays[i].device, vulkan);
	}
	static const char *const inputs[] = {"qemu-xhci", "usb-tablet", "usb-kbd"};
	for (size_t i = 0; i < countof(inputs); i++) {
		option_add(qemu->command, "-device", inputs[i]);
	}
}

static void add_vsock(const struct qemu *qemu)
{
	if (qemu->vm->vsock.cid < 0)
		return;
	option_printf(qemu->command, "-device", "vhost-vsock-%s,guest-cid=%lld", device_suffix(qemu), (long long)qemu->vm->vsock.cid);
}

static void add_base(const struct qemu *qemu)
{
	struct command *command = qemu->command;
	command_add(command, program_path(qemu->arena, qemu->vm->qemu.common.package,
					  arena_printf(qemu->arena, "qemu-system-%s", kernel_arch_name(qemu->guest->arch))));
	option_add(command, "-name", qemu->vm->host_name);
	add_machine(qemu);
	add_memory(qemu);
	option_printf(command, "-smp", "%llu", (unsigned long long)qemu->vm->vcpu);
	command_add(command, "-nodefaults");
	command_add(command, "-no-user-config");
	command_add(command, "-no-reboot");
	add_kernel(qemu);
	option_add(command, "-chardev", "stdio,id=stdio,signal=off");
	option_printf(command, "-device", "virtio-rng-%s", device_suffix(qemu));
}

/* The machine "microvm" has virtio-mmio devices, and a PCI bus only for what does not work without one. */
static bool uses_pci(const struct vm *vm)
{
	return !machine_is_microvm(vm) || vm->graphics.enable || vm->shares.n || has_device(vm, "pci") || vm->qemu.pcie_root_ports.n;
}

static void add_console(const struct qemu *qemu)
{
	if (qemu->vm->qemu.serial_console)
		option_add(qemu->command, "-serial", "chardev:stdio");
	add_cpu(qemu);
	if (is_x86(qemu)) {
		command_add(qemu->command, "-device");
		command_add(qemu->command, "i8042"); /* Ctrl-Alt-Del, the second way to ask a guest to stop */
	}
	add_display(qemu);
}

static void qemu_lower(struct arena *arena, const struct guest *guest, struct lowered *out)
{
	const struct vm *vm = guest->vm;
	out->command.arena = arena;
	const struct qemu qemu = {arena, guest, vm, &out->command, uses_pci(vm) || guest->arch != KERNEL_X86_64};
	add_base(&qemu);
	add_panic(&qemu);
	add_memory_object(&qemu);
	add_identity(&qemu);
	add_root_ports(&qemu);
	add_console(&qemu);
	for (size_t i = 0; i < guest->ndisks; i++)
		add_disk(&qemu, &guest->disks[i]);
	add_control(&qemu);
	add_memory_devices(&qemu);
	add_shares(&qemu);
	add_interfaces(&qemu);
	add_devices(&qemu);
	add_vsock(&qemu);
	command_add_all(&out->command, &vm->qemu.common.extra_args);

	out->accel = guest->foreign ? ACCEL_TCG : ACCEL_PROBE;
	const struct control control = {.protocol = "qmp", .address = vm->socket};
	lower_shutdown(arena, &control, out);
	lower_balloon(arena, &control, vm, out);
}

static void qemu_modules(struct arena *arena, const struct guest *guest, struct module_wishes *wishes)
{
	bool x86 = guest->arch == KERNEL_X86_64, pci = uses_pci(guest->vm) || !x86;
	/* The first one: what fails behind it is told. */
	if (tells_panic(guest->vm))
		vec_push(arena, wishes, (struct module_wish){x86 ? "pvpanic_mmio" : "pvpanic_pci", "a panic is told to QEMU", true});
	vec_push(arena, wishes, (struct module_wish){pci ? "virtio_pci" : "virtio_mmio", "the bus of QEMU's devices", false});
	if (guest->vm->credential_files.n)
		vec_push(arena, wishes, (struct module_wish){"qemu_fw_cfg", "the VM has credentials", false});
}

static const enum kernel_format kernels[] = {KERNEL_BZIMAGE, KERNEL_ELF, KERNEL_ARM64_IMAGE, KERNEL_ARM64_IMAGE_GZ};

const struct backend qemu_backend = {
	.name = "qemu",
	.doc = "QEMU: KVM where it works, else emulation; every device",
	.tested = "boots under TCG, and with KVM inside a VM, in every run of the tests",
	.capabilities = {
		[FEATURE_9P] = {.can = CAN},
		[FEATURE_VIRTIOFS] = {.can = CAN},
		[FEATURE_USER_NETWORK] = {.can = CAN},
		[FEATURE_FORWARD_PORTS] = {.can = CAN},
		[FEATURE_TAP] = {.can = CAN},
		[FEATURE_VHOST_NET] = {.can = CAN},
		[FEATURE_MACVTAP] = {.can = CAN},
		[FEATURE_BRIDGE] = {.can = CAN},
		[FEATURE_VSOCK] = {.can = CAN},
		[FEATURE_PCI_DEVICES] = {.can = CAN},
		[FEATURE_USB_DEVICES] = {.can = CAN},
		[FEATURE_ROOT_PORTS] = {.can = CAN},
		[FEATURE_GRAPHICS] = {.can = CAN},
		[FEATURE_CPU] = {.can = CAN},
		[FEATURE_HUGEPAGES] = {.can = CAN},
		[FEATURE_HOTPLUG_MEMORY] = {CAN_WHEN, "with another machine than microvm, which has no virtio-mem (set qemu.machine: q35)", machine_has_hotplug},
		[FEATURE_BALLOON] = {.can = CAN},
		[FEATURE_INITIAL_BALLOON] = {CAN_NOT, BALLOON_ONCE_IT_RUNS, NULL},
		[FEATURE_MACHINE_ID] = {.can = CAN},
		[FEATURE_CREDENTIALS] = {.can = CAN},
		[FEATURE_NO_SOCKET] = {.can = CAN},
		[FEATURE_USER] = {.can = CAN},
		[FEATURE_READ_ONLY_VOLUMES] = {.can = CAN},
		[FEATURE_DIRECT] = {.can = CAN},
		[FEATURE_SERIAL] = {.can = CAN},
		[FEATURE_QCOW2] = {.can = CAN},
		[FEATURE_VHD] = {.can = CAN},
		[FEATURE_EXTRA_ARGS] = {.can = CAN},
	},
	.kernels = kernels,
	.nkernels = countof(kernels),
	.disk_serials = true,
	.multi_queue = true,
	.modules = qemu_modules,
	.lower = qemu_lower,
};

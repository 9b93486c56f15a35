/* SPDX-License-Identifier: MIT */
/*
 * stratovirt: StratoVirt's machine "microvm", with KVM. Command line according to its source,
 * version 2.5: machine_manager/src/{cmdline.rs,config/} and machine/src/{lib.rs,micro_common/}.
 */
#include <string.h>

#include "backends/interface/option_rows.h"
#include "backends/interface/parts.h"

static const struct option options[] = {
	PACKAGE("stratovirt"), VERSION("stratovirt"), EXTRA_ARGS("stratovirt"), {0}};

/*
 * The machine reserves slots for this many disks and network interfaces without vhost, used or not.
 * On x86 there are only the interrupts 5 to 15, so the rest is left for other devices
 * (micro_common/mod.rs, devices/src/sysbus/mod.rs).
 */
enum { DISKS_MAX = 4, INTERFACES_MAX = 2, OTHERS_MAX = 11 - DISKS_MAX - INTERFACES_MAX };
enum { MEMORY_MIN_MIB = 128, MEMORY_MAX_MIB = 512 << 10, CPUS_MAX = 254 };

struct stratovirt {
	struct arena *arena;
	const struct guest *guest;
	struct command *command;
};

static bool has_vhost(const struct interface *interface)
{
	return interface->tap.vhost;
}

static void add_base(const struct stratovirt *stratovirt)
{
	const struct guest *guest = stratovirt->guest;
	struct command *command = stratovirt->command;
	command_add(
		command, program_path(stratovirt->arena, guest->options->package, "stratovirt"));
	option_add(command, "-name", guest->host_name);
	/* virtiofsd maps the guest's memory. */
	option_add(command, "-machine",
		stratovirt->guest->nshares ? "microvm,mem-share=on" : "microvm");
	option_printf(command, "-m", "%llu", (unsigned long long)guest->mem_mib);
	if (guest->hugepage_mem)
		option_add(command, "-mem-path", "/dev/hugepages");
	option_printf(command, "-smp", "%llu", (unsigned long long)guest->vcpu);
}

static void add_kernel(const struct stratovirt *stratovirt)
{
	const struct guest *guest = stratovirt->guest;
	struct command *command = stratovirt->command;
	option_file(command, "-kernel", &guest->kernel);
	option_file(command, "-initrd", &guest->initrd);
	/*
	 * Without a BIOS the kernel must not query disks (edd=off). A reset ends the VM, after a
	 * panic too.
	 */
	const char *console =
		guest->arch == KERNEL_X86_64 ? "console=ttyS0 edd=off" : "console=ttyAMA0";
	option_parameters(command, "-append",
		arena_printf(stratovirt->arena, "%s reboot=t panic=-1", console), guest);
	option_add(command, "-serial", "stdio");
}

static void add_disk(const struct stratovirt *stratovirt, const struct disk *disk)
{
	struct command *command = stratovirt->command;
	command_add(command, "-drive");
	struct argument *drive = command_begin(command);
	argument_text(command, drive,
		arena_printf(stratovirt->arena, "id=%s,format=raw,if=none,aio=", disk->id));
	argument_piece(command, drive, PIECE_AIO);
	argument_text(command, drive, ",file=");
	argument_file(command, drive, &disk->file, PIECE_RUNNER);
	if (disk->direct)
		argument_direct(command, drive, &disk->file, ",direct=on", ",direct=off");
	else
		argument_text(command, drive, ",direct=off");
	argument_text(command, drive, disk->read_only ? ",readonly=on" : ",readonly=off");
	option_printf(command, "-device", "virtio-blk-device,drive=%s,id=blk_%s,serial=%s",
		disk->id, disk->id, disk->serial);
}

/*
 * One queue each: the microvm machine creates its interfaces before it knows the number of queues.
 */
static void add_interface(const struct stratovirt *stratovirt, const struct nic *nic)
{
	const struct interface *interface = nic->interface;
	const char *tap = nic->fds ? arena_printf(stratovirt->arena, "fd=%d", nic->fds[0])
				   : arena_printf(stratovirt->arena, "ifname=%s%s", interface->id,
					     has_vhost(interface) ? ",vhost=on" : "");
	option_printf(stratovirt->command, "-netdev", "tap,id=%s,%s", interface->id, tap);
	option_printf(stratovirt->command, "-device",
		"virtio-net-device,id=net_%s,netdev=%s,mac=%s", interface->id, interface->id,
		interface->mac);
}

static void add_shares(const struct stratovirt *stratovirt)
{
	for (size_t i = 0; i < stratovirt->guest->nshares; i++) {
		const struct share *share = stratovirt->guest->shares[i];
		option_printf(stratovirt->command, "-chardev", "socket,id=fs%zu,path=%s", i,
			share->socket);
		option_printf(stratovirt->command, "-device",
			"vhost-user-fs-device,chardev=fs%zu,tag=%s,id=fs%zu", i, share->tag, i);
	}
}

static void add_devices(const struct stratovirt *stratovirt)
{
	const struct guest *guest = stratovirt->guest;
	struct command *command = stratovirt->command;
	option_add(command, "-object", "rng-random,id=rng,filename=/dev/random");
	option_add(command, "-device", "virtio-rng-device,rng=rng,id=rng_dev");
	if (guest->balloon)
		option_printf(command, "-device",
			"virtio-balloon-device,id=balloon0,free-page-reporting=true,deflate-on-oom="
			"%s",
			guest->deflate_on_oom ? "true" : "false");
	if (guest->vsock.cid >= 0)
		option_printf(command, "-device", "vhost-vsock-device,id=vsock0,guest-cid=%lld",
			(long long)guest->vsock.cid);
}

static void stratovirt_lower(struct arena *arena, const struct guest *guest, struct lowered *out)
{
	out->command.arena = arena;
	const struct stratovirt stratovirt = {arena, guest, &out->command};
	add_base(&stratovirt);
	add_kernel(&stratovirt);
	add_devices(&stratovirt);
	for (size_t i = 0; i < guest->ndisks; i++)
		add_disk(&stratovirt, &guest->disks[i]);
	if (guest->socket)
		option_printf(&out->command, "-qmp", "unix:%s,server,nowait", guest->socket);
	add_shares(&stratovirt);
	for (size_t i = 0; i < guest->nnics; i++)
		add_interface(&stratovirt, &guest->nics[i]);
	command_add_all(&out->command, &guest->options->extra_args);

	out->accel = ACCEL_KVM;
	out->forbidden_characters = ",=";
	out->terminal = true; /* -serial stdio sets terminal modes and fails without a terminal */
	if (guest->socket)
		vec_push(arena, &out->sockets, guest->socket);
	/*
	 * There is no shutdown: the microvm machine has no power button, and its system_powerdown
	 * cuts the power.
	 */
	const struct control control = {.protocol = "qmp", .address = guest->socket};
	lower_state(arena, &control, out);
	lower_balloon(arena, &control, guest, out);
}

/*
 * virtio_mmio.device= for each slot of a disk or interface, used or not, and for each other device.
 */
static size_t stratovirt_parameter_bytes(const struct guest *guest)
{
	return guest->arch == KERNEL_X86_64
		? mmio_parameter_bytes(DISKS_MAX + INTERFACES_MAX + 1 + guest->balloon +
			  (guest->vsock.cid >= 0) + guest->nshares)
		: 0;
}

static void stratovirt_modules(
	struct arena *arena, const struct guest *guest, struct module_wishes *wishes)
{
	(void)guest;
	vec_push(arena, wishes,
		(struct module_wish){
			"virtio_mmio", "it is the bus of StratoVirt's devices", false, NULL});
}

/* ---- rules of StratoVirt ---- */

#define stratovirt_error(diag, where, ...) \
	diag_error((diag), STATUS_DESCRIPTION, (where), "not-supported", __VA_ARGS__)

/* The parser splits options at these characters and supports no quoting. */
static void check_text(struct diag *diag, const struct pos *where, const char *what, size_t index,
	const char *text)
{
	if (text && strpbrk(text, ",="))
		stratovirt_error(diag, where,
			"%s[%zu]: stratovirt cannot use a path with ',' or '=': \"%.80s\"", what,
			index, text);
}

static void check_texts(struct diag *diag, const struct vm *vm)
{
	if (vm->socket && strpbrk(vm->socket, ",="))
		stratovirt_error(diag, vm_where(vm, &vm->socket),
			"socket: stratovirt cannot use a path with ',' or '=': \"%.80s\"",
			vm->socket);
	for (size_t i = 0; i < vm->volumes.n; i++)
		check_text(diag, &vm->volumes.v[i].where, "volumes", i, vm->volumes.v[i].image);
	for (size_t i = 0; i < vm->shares.n; i++)
		check_text(diag, &vm->shares.v[i].where, "shares", i, vm->shares.v[i].socket);
}

static void check_devices(struct diag *diag, const struct vm *vm, const struct guest *guest)
{
	size_t disks = guest->ndisks, plain = 0,
	       others = 1 + vm->balloon + (vm->vsock.cid >= 0) + guest->nshares;
	for (size_t i = 0; i < vm->interfaces.n; i++)
		*(has_vhost(&vm->interfaces.v[i]) ? &others : &plain) += 1;
	if (disks > DISKS_MAX)
		stratovirt_error(diag, &vm->volumes.v[vm->volumes.n - 1].where,
			"volumes: stratovirt supports %d disks%s, not %zu", DISKS_MAX,
			vm->store_on_disk ? " with the store disk" : "", disks);
	if (plain > INTERFACES_MAX)
		stratovirt_error(diag, vm_where(vm, &vm->interfaces.v),
			"interfaces: stratovirt supports %d without tap.vhost, not %zu",
			INTERFACES_MAX, plain);
	if (others > OTHERS_MAX)
		stratovirt_error(diag, vm_where(vm, &vm->shares.v),
			"stratovirt supports %d devices other than disks and interfaces without "
			"tap.vhost, not %zu: random number generator, balloon, vsock, shares, "
			"interfaces with tap.vhost",
			OTHERS_MAX, others);
}

static void stratovirt_check(struct diag *diag, const struct vm *vm, const struct guest *guest)
{
	if (vm->mem_mib < MEMORY_MIN_MIB || vm->mem_mib > MEMORY_MAX_MIB)
		stratovirt_error(diag, vm_where(vm, &vm->mem_mib),
			"mem: stratovirt supports %d MiB to 512 GiB, not %llu MiB", MEMORY_MIN_MIB,
			(unsigned long long)vm->mem_mib);
	if (vm->vcpu > CPUS_MAX)
		stratovirt_error(diag, vm_where(vm, &vm->vcpu),
			"vcpu: stratovirt supports at most %d", CPUS_MAX);
	check_devices(diag, vm, guest);
	check_texts(diag, vm);
}

static const enum kernel_format kernels[] = {KERNEL_BZIMAGE, KERNEL_ARM64_IMAGE};

#define NO_PCI "its microvm machine has no PCI bus"

const struct backend stratovirt_backend = {
	.name = "stratovirt",
	.doc = "StratoVirt: KVM only; small, a few virtio-mmio devices",
	.tested = "version 2.5 boots with KVM inside a VM, not in every run of the tests",
	.title = "StratoVirt",
	.options = options,
	.options_bytes = sizeof(struct hypervisor_options),
	.capabilities =
		{
			[FEATURE_9P] = {CAN_NOT, GIVE_VIRTIOFS, NULL},
			[FEATURE_VIRTIOFS] = {.can = CAN},
			[FEATURE_SHARE_DAX] = {CAN_NOT,
				"its vhost-user-fs device has no window for DAX", NULL},
			[FEATURE_USER_NETWORK] = {.can = CAN_NOT},
			[FEATURE_FORWARD_PORTS] = {.can = CAN_NOT},
			[FEATURE_TAP] = {.can = CAN},
			[FEATURE_VHOST_NET] = {.can = CAN},
			[FEATURE_MACVTAP] = {.can = CAN},
			[FEATURE_BRIDGE] = {CAN_NOT, GIVE_TAP_OF_BRIDGE, NULL},
			[FEATURE_VSOCK] = {.can = CAN},
			[FEATURE_NOTIFY] = {CAN_NOT, NO_NOTIFY_SOCKET, NULL},
			[FEATURE_PCI_DEVICES] = {CAN_NOT, NO_PCI, NULL},
			[FEATURE_USB_DEVICES] = {CAN_NOT, NO_PCI, NULL},
			[FEATURE_ROOT_PORTS] = {CAN_IGNORE, NO_PCI, NULL},
			[FEATURE_GRAPHICS] = {CAN_NOT, NO_PCI, NULL},
			[FEATURE_CPU] = {CAN_IGNORE, CPU_OF_HOST, NULL},
			[FEATURE_HUGEPAGES] = {.can = CAN},
			[FEATURE_HOTPLUG_MEMORY] = {CAN_NOT,
				"virtio-mem came with version 2.5 and is not used yet", NULL},
			[FEATURE_BALLOON] = {.can = CAN},
			[FEATURE_INITIAL_BALLOON] = {CAN_NOT, BALLOON_ONCE_IT_RUNS, NULL},
			[FEATURE_MACHINE_ID] = {.can = CAN},
			[FEATURE_CREDENTIALS] = {CAN_NOT,
				"its microvm machine has neither SMBIOS nor fw_cfg", NULL},
			[FEATURE_NO_SOCKET] = {CAN_NOT, "it does not start without one", NULL},
			[FEATURE_USER] = {CAN_NOT, START_AS_USER, NULL},
			[FEATURE_READ_ONLY_VOLUMES] = {.can = CAN},
			[FEATURE_DIRECT] = {.can = CAN},
			[FEATURE_SERIAL] = {.can = CAN},
			[FEATURE_PMEM] = {CAN_NOT, "its microvm machine has no virtio-pmem", NULL},
			[FEATURE_STORE_DIRECT] = {.can = CAN},
			[FEATURE_QCOW2] = {CAN_NOT, "its microvm machine supports only raw images",
				NULL},
			[FEATURE_VHD] = {.can = CAN_NOT},
			[FEATURE_EXTRA_ARGS] = {.can = CAN},
		},
	.kernels = kernels,
	.nkernels = countof(kernels),
	.disk_serials = true,
	.locks_disks = locks_always,
	.mmio_parameters = true,
	.parameter_bytes = stratovirt_parameter_bytes,
	.check = stratovirt_check,
	.hugetlb = "default",
	.hugetlbfs = "/dev/hugepages",
	.modules = stratovirt_modules,
	.lower = stratovirt_lower,
};

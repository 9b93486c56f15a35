/* SPDX-License-Identifier: MIT */
/*
 * kvmtool: lkvm. Command line according to builtin-run.c, disk/core.c, virtio/net.c and x86/kvm.c
 * in its source (2024-08).
 */
#include <string.h>

#include "backends/interface/option_rows.h"
#include "backends/interface/parts.h"

static const struct option options[] = {PACKAGE("lkvm"), VERSION("lkvm"), EXTRA_ARGS("lkvm"), {0}};

enum {
	DISKS_MAX = 4,  /* MAX_DISK_IMAGES */
	CPUS_MAX = 255, /* MPTABLE_MAX_CPUS */
	PCI_SLOTS = 32,
	OWN_DEVICES = 1,     /* a random number generator; there is no host bridge */
	QUEUE_PAIRS_MAX = 8, /* VIRTIO_NET_NUM_QUEUES */
};

struct kvmtool {
	struct arena *arena;
	const struct guest *guest;
	struct command *command;
};

static const char *program(struct arena *arena, const struct guest *guest)
{
	return program_path(arena, guest->options->package, "lkvm");
}

/*
 * With --nodefaults the kernel gets exactly these parameters, and kvmtool adds no devices. Without
 * it, kvmtool would add root=/dev/vda and truncate the command line to 2047 bytes. The x86
 * parameters at the beginning are those that kvmtool adds itself: there is no ACPI, and the kernel
 * must not probe for the i8042.
 */
static void add_kernel(const struct kvmtool *kvmtool)
{
	struct command *command = kvmtool->command;
	const char *machine = kvmtool->guest->arch == KERNEL_X86_64
		? "noapic noacpi pci=conf1 i8042.direct=1 i8042.dumbkbd=1 i8042.nopnp=1 "
		  "i8042.noaux=1 earlyprintk=serial "
		: "";
	option_file(command, "-k", &kvmtool->guest->kernel);
	option_file(command, "-i", &kvmtool->guest->initrd);
	option_parameters(command, "-p",
		arena_printf(kvmtool->arena, "%sconsole=ttyS0 reboot=k panic=1", machine),
		kvmtool->guest);
}

static void add_base(const struct kvmtool *kvmtool)
{
	struct command *command = kvmtool->command;
	const struct guest *guest = kvmtool->guest;
	command_add(command, program(kvmtool->arena, guest));
	command_add(command, "run");
	command_add(command, "--nodefaults");
	option_add(command, "--name", guest->host_name);
	option_printf(command, "-m", "%llu", (unsigned long long)guest->mem_mib);
	option_printf(command, "-c", "%llu", (unsigned long long)guest->vcpu);
	option_add(command, "--console", "serial");
	command_add(command, "--rng");
	if (guest->hugepage_mem)
		option_add(command, "--hugetlbfs", "/dev/hugepages");
	if (guest->balloon)
		command_add(command, "--balloon");
}

static void add_disk(const struct kvmtool *kvmtool, const struct disk *disk)
{
	struct command *command = kvmtool->command;
	command_add(command, "-d");
	struct argument *argument = command_begin(command);
	/* "scsi:…" would mean a vhost-scsi target. */
	if (strncmp(disk->file.path, "scsi:", 5) == 0)
		argument_text(command, argument, "./");
	argument_file(command, argument, &disk->file, PIECE_RUNNER);
	if (disk->direct)
		argument_direct(command, argument, &disk->file, ",direct", "");
	if (disk->read_only)
		argument_text(command, argument, ",ro");
}

/*
 * kvmtool opens a tap once, without IFF_MULTI_QUEUE, for all queues of the guest; with vhost there
 * is one queue. A tapif that starts with '/' is a macvtap.
 */
static void add_tap(
	const struct kvmtool *kvmtool, struct argument *argument, const struct interface *interface)
{
	struct command *command = kvmtool->command;
	unsigned long long queues =
		kvmtool->guest->vcpu < QUEUE_PAIRS_MAX ? kvmtool->guest->vcpu : QUEUE_PAIRS_MAX;
	argument_text(command, argument, "mode=tap,tapif=");
	if (interface->type == INTERFACE_MACVTAP)
		argument_macvtap(command, argument, interface->id);
	else
		argument_text(command, argument, interface->id);
	argument_text(
		command, argument, arena_printf(kvmtool->arena, ",guest_mac=%s", interface->mac));
	if (interface->tap.vhost)
		argument_text(command, argument, ",vhost=1");
	else if (queues > 1)
		argument_text(command, argument, arena_printf(kvmtool->arena, ",mq=%llu", queues));
}

static void add_interfaces(const struct kvmtool *kvmtool)
{
	struct command *command = kvmtool->command;
	for (size_t i = 0; i < kvmtool->guest->nnics; i++) {
		const struct interface *interface = kvmtool->guest->nics[i].interface;
		command_add(command, "-n");
		if (interface->type == INTERFACE_USER)
			command_printf(command, "mode=user,guest_mac=%s", interface->mac);
		else
			add_tap(kvmtool, command_begin(command), interface);
	}
	/* Without an interface kvmtool would add one. */
	if (kvmtool->guest->nnics == 0)
		option_add(command, "-n", "mode=none");
}

static void add_devices(const struct kvmtool *kvmtool)
{
	const struct guest *guest = kvmtool->guest;
	for (size_t i = 0; i < kvmtool->guest->nshares; i++)
		option_printf(kvmtool->command, "--9p", "%s,%s", kvmtool->guest->shares[i]->source,
			kvmtool->guest->shares[i]->tag);
	for (size_t i = 0; i < guest->ndevices; i++)
		command_printf(kvmtool->command, "--vfio-pci=%s", guest->devices[i].path);
	if (guest->vsock.cid >= 0)
		option_printf(kvmtool->command, "--vsock", "%lld", (long long)guest->vsock.cid);
	command_add_all(kvmtool->command, &guest->options->extra_args);
}

static void kvmtool_makes(struct arena *arena, const struct guest *guest, struct made_files *out)
{
	(void)guest;
	vec_push(arena, out, (struct made_file){".lkvm", "kvmtool's directory", false});
}

static void kvmtool_lower(struct arena *arena, const struct guest *guest, struct lowered *out)
{
	out->command.arena = arena;
	const struct kvmtool kvmtool = {arena, guest, &out->command};
	add_base(&kvmtool);
	add_kernel(&kvmtool);
	for (size_t i = 0; i < guest->ndisks; i++)
		add_disk(&kvmtool, &guest->disks[i]);
	add_interfaces(&kvmtool);
	add_devices(&kvmtool);
	out->accel = ACCEL_KVM;
	out->sets_home = true;
	vec_push(arena, &out->sockets, arena_printf(arena, ".lkvm/%s.sock", guest->host_name));
	out->forbidden_characters = ",";
	/*
	 * There is no shutdown: the guest has neither ACPI nor a keyboard, "lkvm debug" sends SysRq
	 * to the guest only after a key press on lkvm's own terminal, and "lkvm stop" is no better
	 * than SIGTERM.
	 */
	const struct control control = {"lkvm", guest->host_name, program(arena, guest)};
	lower_balloon(arena, &control, guest, out);
}

static void check_disks(struct diag *diag, const struct vm *vm)
{
	size_t disks = vm->volumes.n + (vm->store_on_disk ? 1 : 0);
	for (size_t i = 0; i < vm->volumes.n; i++)
		check_comma(diag, &vm->volumes.v[i].where, "kvmtool", "volumes", i,
			vm->volumes.v[i].image);
	if (disks > DISKS_MAX)
		diag_error(diag, STATUS_DESCRIPTION, &vm->volumes.v[vm->volumes.n - 1].where,
			"not-supported",
			"volumes: kvmtool supports at most %d disks, but there are %zu%s",
			DISKS_MAX, disks, vm->store_on_disk ? ", one of them the store disk" : "");
}

static void kvmtool_check_shares(struct diag *diag, const struct vm *vm)
{
	for (size_t i = 0; i < vm->shares.n; i++) {
		const struct share *share = &vm->shares.v[i];
		check_comma(diag, &share->where, "kvmtool", "shares", i, share->source);
		if (share->proto == SHARE_9P)
			check_read_only(diag, vm, i, "kvmtool does not support read-only shares");
	}
}

static void kvmtool_check_interfaces(struct diag *diag, const struct vm *vm)
{
	size_t users = 0;
	for (size_t i = 0; i < vm->interfaces.n; i++)
		if (vm->interfaces.v[i].type == INTERFACE_USER && ++users == 2)
			diag_error(diag, STATUS_DESCRIPTION, &vm->interfaces.v[i].where,
				"not-supported",
				"interfaces[%zu]: kvmtool supports only one interface of type user",
				i);
}

static void kvmtool_check(struct diag *diag, const struct vm *vm, const struct guest *guest)
{
	check_disks(diag, vm);
	kvmtool_check_shares(diag, vm);
	kvmtool_check_interfaces(diag, vm);
	check_cpus(diag, vm, "kvmtool", CPUS_MAX);
	check_places(diag, guest, "kvmtool", OWN_DEVICES + count_devices_of(guest), PCI_SLOTS);
}

static bool qcow2_is_read_only(const struct guest *guest)
{
	for (size_t i = 0; i < guest->ndisks; i++)
		if (guest->disks[i].format == IMAGE_QCOW2 && !guest->disks[i].read_only)
			return false;
	return true;
}

static void kvmtool_modules(
	struct arena *arena, const struct guest *guest, struct module_wishes *wishes)
{
	(void)guest;
	vec_push(arena, wishes,
		(struct module_wish){
			"virtio_pci", "it is the bus of kvmtool's devices", false, NULL});
}

static const enum kernel_format kernels[] = {KERNEL_BZIMAGE, KERNEL_ARM64_IMAGE};

const struct backend kvmtool_backend = {
	.name = "kvmtool",
	.doc = "kvmtool: a minimal VMM for KVM",
	.tested = "the version of 2024-08 boots with KVM inside a VM, by the tests where it is "
		  "installed",
	.title = "kvmtool",
	.options = options,
	.options_bytes = sizeof(struct hypervisor_options),
	.capabilities =
		{
			[FEATURE_9P] = {.can = CAN},
			[FEATURE_VIRTIOFS] = {CAN_NOT, "set proto: 9p for the shares", NULL},
			[FEATURE_SHARE_DAX] = {CAN_NOT, "it has no virtiofs", NULL},
			[FEATURE_USER_NETWORK] = {.can = CAN},
			[FEATURE_FORWARD_PORTS] = {.can = CAN_NOT},
			[FEATURE_TAP] = {.can = CAN},
			[FEATURE_VHOST_NET] = {.can = CAN},
			[FEATURE_MACVTAP] = {.can = CAN},
			[FEATURE_BRIDGE] = {CAN_NOT, GIVE_TAP_OF_BRIDGE, NULL},
			[FEATURE_VSOCK] = {.can = CAN},
			[FEATURE_NOTIFY] = {CAN_NOT, NO_NOTIFY_SOCKET, NULL},
			[FEATURE_PCI_DEVICES] = {.can = CAN},
			[FEATURE_USB_DEVICES] = {.can = CAN_NOT},
			[FEATURE_ROOT_PORTS] = {.can = CAN_IGNORE},
			[FEATURE_GRAPHICS] = {CAN_IGNORE, "the guest has its serial console", NULL},
			[FEATURE_CPU] = {CAN_IGNORE, CPU_OF_HOST, NULL},
			[FEATURE_HUGEPAGES] = {.can = CAN},
			[FEATURE_HOTPLUG_MEMORY] = {CAN_NOT, NO_VIRTIO_MEM, NULL},
			[FEATURE_BALLOON] = {.can = CAN},
			[FEATURE_INITIAL_BALLOON] = {CAN_NOT, BALLOON_ONCE_IT_RUNS, NULL},
			[FEATURE_MACHINE_ID] = {.can = CAN},
			[FEATURE_CREDENTIALS] = {CAN_NOT, NO_SMBIOS_NO_FW_CFG, NULL},
			[FEATURE_NO_SOCKET] = {.can = CAN},
			[FEATURE_USER] = {CAN_NOT, START_AS_USER, NULL},
			[FEATURE_READ_ONLY_VOLUMES] = {.can = CAN},
			[FEATURE_DIRECT] = {.can = CAN},
			[FEATURE_SERIAL] = {CAN_IGNORE, DISKS_BY_ORDER, NULL},
			[FEATURE_PMEM] = {CAN_NOT, "it has no virtio-pmem", NULL},
			[FEATURE_STORE_DIRECT] = {CAN_NOT,
				"it maps read-only images, through the page cache", NULL},
			[FEATURE_QCOW2] = {CAN_WHEN, "for read-only volumes", qcow2_is_read_only},
			[FEATURE_VHD] = {.can = CAN_NOT},
			[FEATURE_EXTRA_ARGS] = {.can = CAN},
		},
	.kernels = kernels,
	.nkernels = countof(kernels),
	.macvtap_names = true,
	.plain_inodes = true, /* virtio/9p.c, stat2qid */
	.writable_shares = true,
	.check = kvmtool_check,
	.makes = kvmtool_makes,
	.hugetlb = "default",
	.hugetlbfs = "/dev/hugepages",
	.modules = kvmtool_modules,
	.lower = kvmtool_lower,
};

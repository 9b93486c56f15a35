/* SPDX-License-Identifier: MIT */
/*
 * alioth: Alioth, with KVM. Command line according to Alioth's source,
 * alioth-cli/src/{boot/boot.rs,objects.rs}; tested with version 0.12.
 */
#include <string.h>

#include "backends/interface/option_rows.h"
#include "backends/interface/parts.h"

static const struct option options[] = {
	PACKAGE("alioth"), VERSION("alioth"), EXTRA_ARGS("alioth"), {0}};

struct alioth {
	struct arena *arena;
	const struct guest *guest;
	struct command *command;
};

/*
 * The parser splits at these characters. Such a value goes into an object of its own, and "id_…"
 * refers to it.
 */
static bool needs_object(const char *text)
{
	return strpbrk(text, ",=") || strncmp(text, "id_", 3) == 0;
}

static void add_object(const struct alioth *alioth, const char *id, const struct file_ref *file)
{
	command_add(alioth->command, "-o");
	struct argument *object = command_begin(alioth->command);
	argument_text(alioth->command, object, arena_printf(alioth->arena, "%s,", id));
	argument_file(alioth->command, object, file, PIECE_RUNNER);
}

static void add_base(const struct alioth *alioth)
{
	const struct guest *guest = alioth->guest;
	struct command *command = alioth->command;
	command_add(command, program_path(alioth->arena, guest->options->package, "alioth"));
	command_add(command, "run");
	/* virtiofsd and vhost map the guest's memory, and a memfd is shared memory. */
	option_printf(command, "--memory", "size=%lluM,backend=memfd%s",
		(unsigned long long)guest->mem_mib, guest->hugepage_mem ? ",thp=on" : "");
	if (version_at_least(guest->options->version, 0, 10))
		option_printf(command, "--cpu", "count=%llu", (unsigned long long)guest->vcpu);
	else
		option_printf(command, "--num-cpu", "%llu", (unsigned long long)guest->vcpu);
}

static void add_kernel(const struct alioth *alioth)
{
	const struct guest *guest = alioth->guest;
	struct command *command = alioth->command;
	option_file(command, "-k", &guest->kernel);
	option_file(command, "-i", &guest->initrd);
	/*
	 * A triple fault ends Alioth. It has no keyboard controller, and a reset by ACPI would
	 * reboot the guest.
	 */
	option_parameters(command, "-c",
		guest->arch == KERNEL_X86_64 ? "console=ttyS0 reboot=t panic=-1"
					     : "console=ttyAMA0 reboot=t panic=-1",
		guest);
	command_add(command, "--entropy");
}

/* The runner's path is known only at the start, so it might need an object: it always gets one. */
static void add_disk(const struct alioth *alioth, const struct disk *disk)
{
	bool object = disk->file.in_runner || needs_object(disk->file.path);
	const char *id = arena_printf(alioth->arena, "id_%s", disk->id);
	option_printf(alioth->command, "--blk", "path=%s,readonly=%s",
		object ? id : disk->file.path, disk->read_only ? "true" : "false");
	if (object)
		add_object(alioth, id, &disk->file);
}

/*
 * Alioth's own server. The guest's kernel keeps 64 bytes of memory for each 4 KiB of the window, so
 * this one costs 16 MiB. It holds the parts of files that are in use, not whole files.
 */
static void add_directory(const struct alioth *alioth, const struct share *share, size_t index)
{
	const bool object = needs_object(share->source);
	const char *id = arena_printf(alioth->arena, "id_fs%zu", index);
	option_printf(alioth->command, "--fs", "dir,path=%s,tag=%s,dax_window=1g",
		object ? id : share->source, share->tag);
	if (object)
		add_object(alioth, id, &(const struct file_ref){share->source, false});
}

static void add_share(const struct alioth *alioth, const struct share *share, size_t index)
{
	if (share->dax) {
		add_directory(alioth, share, index);
		return;
	}
	bool object = needs_object(share->socket);
	const char *id = arena_printf(alioth->arena, "id_fs%zu", index);
	option_printf(alioth->command, "--fs", "vu,socket=%s,tag=%s", object ? id : share->socket,
		share->tag);
	if (object)
		add_object(alioth, id, &(const struct file_ref){share->socket, false});
}

static void add_interface(const struct alioth *alioth, const struct nic *nic)
{
	const struct interface *interface = nic->interface;
	command_add(alioth->command, "--net");
	struct argument *net = command_begin(alioth->command);
	bool macvtap = interface->type == INTERFACE_MACVTAP;
	argument_text(alioth->command, net,
		macvtap ? "tap=" : arena_printf(alioth->arena, "if_name=%s", interface->id));
	if (macvtap)
		argument_macvtap(alioth->command, net, interface->id);
	argument_text(alioth->command, net,
		arena_printf(alioth->arena, ",mac=%s,queue_pairs=%u,mtu=1500", interface->mac,
			nic->queues));
}

static void alioth_lower(struct arena *arena, const struct guest *guest, struct lowered *out)
{
	out->command.arena = arena;
	const struct alioth alioth = {arena, guest, &out->command};
	add_base(&alioth);
	add_kernel(&alioth);
	for (size_t i = 0; i < guest->ndisks; i++)
		add_disk(&alioth, &guest->disks[i]);
	for (size_t i = 0; i < guest->nshares; i++)
		add_share(&alioth, guest->shares[i], i);
	for (size_t i = 0; i < guest->nnics; i++)
		add_interface(&alioth, &guest->nics[i]);
	if (guest->vsock.cid >= 0)
		option_printf(
			&out->command, "--vsock", "vhost,cid=%lld", (long long)guest->vsock.cid);
	command_add_all(&out->command, &guest->options->extra_args);

	out->accel = ACCEL_KVM;
	/* the console sets terminal modes on standard input and fails if that is not a terminal */
	out->terminal = true;
	/* Alioth has no control socket, hence neither shutdown nor balloon. */
}

static void alioth_modules(
	struct arena *arena, const struct guest *guest, struct module_wishes *wishes)
{
	(void)guest;
	vec_push(arena, wishes,
		(struct module_wish){
			"virtio_pci", "it is the bus of Alioth's devices", false, NULL});
}

static bool shares_directories(const struct guest *guest)
{
	return version_at_least(guest->options->version, 0, 8);
}

/* Since commit 8f95f75 of 2026-01, "add file lock to disk image". */
static bool locks_disks(const struct guest *guest)
{
	return version_at_least(guest->options->version, 0, 11);
}

static const enum kernel_format kernels[] = {KERNEL_BZIMAGE, KERNEL_ARM64_IMAGE};

const struct backend alioth_backend = {
	.name = "alioth",
	.doc = "Alioth: KVM only; young, no control socket",
	.tested = "version 0.12 boots with KVM inside a VM, by the tests where it is installed or "
		  "cargo can install it",
	.title = "Alioth",
	.options = options,
	.options_bytes = sizeof(struct hypervisor_options),
	.capabilities =
		{
			[FEATURE_9P] = {CAN_NOT, GIVE_VIRTIOFS, NULL},
			[FEATURE_VIRTIOFS] = {.can = CAN},
			[FEATURE_SHARE_DAX] = {CAN_WHEN, "from version 0.8 on", shares_directories},
			[FEATURE_USER_NETWORK] = {.can = CAN_NOT},
			[FEATURE_FORWARD_PORTS] = {.can = CAN_NOT},
			[FEATURE_TAP] = {.can = CAN},
			[FEATURE_VHOST_NET] = {.can = CAN_IGNORE},
			[FEATURE_MACVTAP] = {.can = CAN},
			[FEATURE_BRIDGE] = {CAN_NOT, GIVE_TAP_OF_BRIDGE, NULL},
			[FEATURE_VSOCK] = {.can = CAN},
			[FEATURE_NOTIFY] = {CAN_NOT, NO_NOTIFY_SOCKET, NULL},
			[FEATURE_PCI_DEVICES] = {.can = CAN_NOT},
			[FEATURE_USB_DEVICES] = {.can = CAN_NOT},
			[FEATURE_ROOT_PORTS] = {.can = CAN_IGNORE},
			[FEATURE_GRAPHICS] = {.can = CAN_NOT},
			[FEATURE_CPU] = {CAN_IGNORE, CPU_OF_HOST, NULL},
			[FEATURE_HUGEPAGES] = {.can = CAN},
			[FEATURE_HOTPLUG_MEMORY] = {.can = CAN_NOT},
			[FEATURE_BALLOON] = {CAN_NOT, "its balloon cannot be resized", NULL},
			[FEATURE_INITIAL_BALLOON] = {CAN_NOT, "its balloon cannot be resized",
				NULL},
			[FEATURE_MACHINE_ID] = {.can = CAN},
			[FEATURE_CREDENTIALS] = {.can = CAN_NOT},
			[FEATURE_NO_SOCKET] = {.can = CAN},
			[FEATURE_USER] = {CAN_NOT, START_AS_USER, NULL},
			[FEATURE_READ_ONLY_VOLUMES] = {.can = CAN},
			[FEATURE_DIRECT] = {.can = CAN_IGNORE},
			[FEATURE_SERIAL] = {CAN_IGNORE, DISKS_BY_ORDER, NULL},
			[FEATURE_PMEM] = {CAN_NOT, "it has no virtio-pmem", NULL},
			[FEATURE_STORE_DIRECT] = {CAN_NOT, "it has no option for O_DIRECT", NULL},
			[FEATURE_QCOW2] = {.can = CAN_NOT},
			[FEATURE_VHD] = {.can = CAN_NOT},
			[FEATURE_EXTRA_ARGS] = {.can = CAN},
		},
	.kernels = kernels,
	.nkernels = countof(kernels),
	.locks_disks = locks_disks,
	.macvtap_names = true,
	.multi_queue = true,
	.modules = alioth_modules,
	.lower = alioth_lower,
};

/* SPDX-License-Identifier: MIT */
/*
 * cloud-hypervisor: Cloud Hypervisor, with KVM. Command line according to its source, versions 35
 * to 53: cloud-hypervisor/src/main.rs, vmm/src/config.rs and option_parser/src/lib.rs.
 */
#include <string.h>

#include "backends/cloud_hypervisor/extra_args.h"
#include "backends/interface/option_rows.h"
#include "backends/interface/parts.h"
#include "base/buf.h"

struct cloud_hypervisor_options {
	struct hypervisor_options common;
	struct strings platform_oem_strings;
};

static const struct option options[] = {
	{.name = "platformOEMStrings",
		STRINGS(struct cloud_hypervisor_options, platform_oem_strings),
		.doc = "SMBIOS strings for the guest."},
	EXTRA_ARGS("cloud-hypervisor"),
	PACKAGE("cloud-hypervisor"),
	VERSION("cloud-hypervisor"),
	{0},
};

/* The name that microvm.nix's host module expects. */
#define VSOCK "notify.vsock"
/* The port on which the guest's systemd reports that it is ready. */
#define NOTIFY_PORT "8888"

/*
 * pci/src/bus.rs: 32 slots including the host bridge. Its own devices are a console and a random
 * number generator.
 */
enum { HOTPLUG_MIB = 128, PCI_SLOTS = 31, OWN_DEVICES = 2, CPUS_MAX_OLD = 254 };

struct cloud_hypervisor {
	struct arena *arena;
	const struct guest *guest;
	struct command *command;
	struct ch_extra extra;
};

static const struct cloud_hypervisor_options *own(const struct guest *guest)
{
	return (const struct cloud_hypervisor_options *)guest->options;
}

static bool since(const struct guest *guest, unsigned major)
{
	return version_at_least(guest->options->version, major, 0);
}

/*
 * A value with characters at which the parser splits goes into double quotes; quotes in it are
 * doubled.
 */
static const char *quoted(struct arena *arena, const char *text)
{
	size_t length = strlen(text);
	if (!strpbrk(text, ",\"[]") &&
		(!length || (!strchr(" \t", text[0]) && !strchr(" \t", text[length - 1]))))
		return text;
	BUF_CLEANUP struct buf out = {0};
	buf_puts(&out, "\"");
	for (; *text; text++)
		buf_add(&out, *text == '"' ? "\"\"" : text, *text == '"' ? 2 : 1);
	buf_puts(&out, "\"");
	return arena_strdup(arena, buf_text(&out));
}

/* "--disk A B" since version 36; versions 30 to 35 need "--disk A --disk B". */
static void add_of_many(const struct cloud_hypervisor *ch, const char *option, size_t index)
{
	if (index == 0 || !since(ch->guest, 36))
		command_add(ch->command, option);
}

static void add_base(const struct cloud_hypervisor *ch)
{
	const struct guest *guest = ch->guest;
	command_add(
		ch->command, program_path(ch->arena, guest->options->package, "cloud-hypervisor"));
	option_add(ch->command, "--cpus",
		ch_join(ch->arena,
			arena_printf(ch->arena, "boot=%llu", (unsigned long long)guest->vcpu),
			ch->extra.cpus));
	if (!ch->extra.seccomp)
		option_add(ch->command, "--seccomp", "true");
}

static const char *console_parameters(const struct cloud_hypervisor *ch)
{
	if (ch->extra.serial && strcmp(ch->extra.serial, "tty") != 0)
		return "";
	return ch->guest->arch == KERNEL_X86_64 ? "earlyprintk=ttyS0 console=ttyS0 "
						: "console=ttyAMA0 ";
}

static void add_kernel(const struct cloud_hypervisor *ch)
{
	const struct guest *guest = ch->guest;
	option_file(ch->command, "--kernel", &guest->kernel);
	option_file(ch->command, "--initramfs", &guest->initrd);
	/*
	 * However a guest reboots, it boots again in the same process. After a panic it waits, so
	 * that it does not spin. If stage 1 fails, it would fail again, so the guest powers off.
	 */
	option_parameters(ch->command, "--cmdline",
		arena_printf(
			ch->arena, "%sreboot=t panic=10 mvm.fail=poweroff", console_parameters(ch)),
		guest);
	if (!ch->extra.console)
		option_add(ch->command, "--console", "null");
	if (!ch->extra.serial)
		option_add(ch->command, "--serial", "tty");
}

/* Shared memory cannot be merged, and neither can huge pages. */
static bool has_shared_memory(const struct guest *guest)
{
	return guest->nshares || guest->graphics.enable;
}

static bool merges_memory(const struct guest *guest)
{
	return !guest->hugepage_mem && !has_shared_memory(guest);
}

static void add_memory(const struct cloud_hypervisor *ch)
{
	const struct guest *guest = ch->guest;
	/* virtiofsd and the GPU's process map the guest's memory. */
	const char *text = arena_printf(ch->arena, "size=%lluM,shared=%s",
		(unsigned long long)guest->mem_mib, has_shared_memory(guest) ? "on" : "off");
	if (guest->hugepage_mem)
		text = ch_join(ch->arena, text, "hugepages=on");
	if (merges_memory(guest))
		text = ch_join(ch->arena, text, "mergeable=on");
	if (guest->hotplug_mem_mib)
		text = arena_printf(ch->arena,
			"%s,hotplug_method=virtio-mem,hotplug_size=%lluM,hotplugged_size=%lluM",
			text, (unsigned long long)guest->hotplug_mem_mib,
			(unsigned long long)guest->hotplugged_mem_mib);
	option_add(ch->command, "--memory", text);
	if (guest->balloon)
		option_printf(ch->command, "--balloon", "size=%lluM,free_page_reporting=on%s",
			(unsigned long long)guest->initial_balloon_mem_mib,
			guest->deflate_on_oom ? ",deflate_on_oom=on" : "");
}

static bool has_vsock(const struct cloud_hypervisor *ch)
{
	return ch->guest->vsock.cid >= 0 || ch_value_of(ch->arena, ch->extra.vsock, "cid");
}

static void cloud_hypervisor_makes(
	struct arena *arena, const struct guest *guest, struct made_files *out)
{
	const struct cloud_hypervisor ch = {.arena = arena,
		.guest = guest,
		.extra = ch_extra_read(arena, &guest->options->extra_args)};
	const char *given = ch_value_of(arena, ch.extra.vsock, "socket");
	if (has_vsock(&ch))
		vec_push(arena, out,
			(struct made_file){given ? given : VSOCK, "the vsock's socket", true});
}

static void add_platform(const struct cloud_hypervisor *ch)
{
	const struct strings *strings = &own(ch->guest)->platform_oem_strings;
	const char *list = NULL, *text = NULL;
	for (size_t i = 0; i < strings->n; i++)
		list = ch_join(ch->arena, list, strings->v[i]);
	if (has_vsock(ch) && ch->guest->vsock.notify)
		list = ch_join(ch->arena, list,
			"io.systemd.credential:vmm.notify_socket=vsock-stream:2:" NOTIFY_PORT);
	if (list)
		text = arena_printf(ch->arena, "oem_strings=[%s]", list);
	const char *key = since(ch->guest, 53) ? "system_uuid" : "uuid";
	if (ch->guest->machine_id && !ch_value_of(ch->arena, ch->extra.platform, "system_uuid") &&
		!ch_value_of(ch->arena, ch->extra.platform, "uuid"))
		text = ch_join(ch->arena, text,
			arena_printf(ch->arena, "%s=%s", key, ch->guest->machine_id));
	text = ch_join(ch->arena, text, ch->extra.platform);
	if (text)
		option_add(ch->command, "--platform", text);
}

/* Cloud Hypervisor opens the file for writing unless writes are discarded. */
static void add_pmem(const struct cloud_hypervisor *ch, const struct disk *disk)
{
	command_add(ch->command, "--pmem");
	struct argument *argument = command_begin(ch->command);
	argument_text(ch->command, argument, "file=\"");
	argument_file(ch->command, argument, &disk->file, PIECE_RUNNER);
	argument_text(ch->command, argument, "\",discard_writes=on");
}

static void add_disk(const struct cloud_hypervisor *ch, const struct disk *disk, size_t index)
{
	struct arena *arena = ch->arena;
	add_of_many(ch, "--disk", index);
	struct argument *argument = command_begin(ch->command);
	if (disk->file.in_runner) {
		/*
		 * The runner's path is quoted because it may contain characters at which the parser
		 * splits.
		 */
		argument_text(ch->command, argument, "path=\"");
		argument_file(ch->command, argument, &disk->file, PIECE_RUNNER);
		argument_text(ch->command, argument, "\"");
	} else {
		argument_text(ch->command, argument,
			arena_printf(arena, "path=%s", quoted(arena, disk->file.path)));
	}
	argument_text(ch->command, argument,
		arena_printf(arena, ",readonly=%s", disk->read_only ? "on" : "off"));
	if (disk->direct)
		argument_direct(ch->command, argument, &disk->file, ",direct=on", ",direct=off");
	else if (disk->volume)
		argument_text(ch->command, argument, ",direct=off");
	/*
	 * Without it the format is guessed, and the guest cannot write the first sector of a raw
	 * image.
	 */
	if (since(ch->guest, 51))
		argument_text(ch->command, argument,
			arena_printf(arena, ",image_type=%s", image_type_names[disk->format]));
	if (ch->guest->vcpu > 1)
		argument_text(ch->command, argument,
			arena_printf(
				arena, ",num_queues=%llu", (unsigned long long)ch->guest->vcpu));
	argument_text(ch->command, argument,
		arena_printf(arena, ",serial=%s", quoted(arena, disk->serial)));
}

static void add_share(const struct cloud_hypervisor *ch, const struct share *share, size_t index)
{
	add_of_many(ch, "--fs", index);
	command_printf(ch->command, "tag=%s,socket=%s", quoted(ch->arena, share->tag),
		quoted(ch->arena, share->socket));
}

static void add_interface(const struct cloud_hypervisor *ch, const struct nic *nic, size_t index)
{
	const char *source = arena_printf(ch->arena, "tap=%s", nic->interface->id);
	for (unsigned i = 0; nic->fds && i < nic->queues; i++)
		source = arena_printf(
			ch->arena, "%s%s%d", i ? source : "fd=[", i ? "," : "", nic->fds[i]);
	add_of_many(ch, "--net", index);
	command_printf(ch->command, "%s%s,mac=%s%s", source, nic->fds ? "]" : "",
		nic->interface->mac,
		nic->queues > 1 ? arena_printf(ch->arena, ",num_queues=%u", 2 * nic->queues) : "");
}

static void add_device(const struct cloud_hypervisor *ch, const struct device *device, size_t index)
{
	add_of_many(ch, "--device", index);
	command_printf(ch->command, "path=%s", pci_directory(ch->arena, device->path));
}

/* Adds our vsock, completed by extraArgs; returns the socket's path. */
static const char *add_vsock(const struct cloud_hypervisor *ch)
{
	const char *text = ch->extra.vsock, *socket = ch_value_of(ch->arena, text, "socket");
	if (!socket)
		text = ch_join(ch->arena, "socket=" VSOCK, text);
	if (ch->guest->vsock.cid >= 0)
		text = ch_join(ch->arena,
			arena_printf(ch->arena, "cid=%lld", (long long)ch->guest->vsock.cid), text);
	option_add(ch->command, "--vsock", text);
	return socket ? socket : VSOCK;
}

/*
 * The patch of microvm.nix's package cloud-hypervisor-graphics adds --gpu; its GPU device is a
 * process of crosvm's.
 */
static bool may_have_gpu(const struct guest *guest)
{
	return guest->options->package != NULL;
}

static void add_graphics(const struct cloud_hypervisor *ch, struct companion *companion)
{
	const struct guest *guest = ch->guest;
	if (!guest->graphics.enable)
		return;
	option_printf(ch->command, "--gpu", "socket=%s", quoted(ch->arena, guest->graphics.socket));
	add_gpu_process(ch->arena, guest, guest->graphics.crosvm_package,
		"{\"context-types\":\"virgl:virgl2:cross-domain\",\"displays\":[{\"hidden\":true}],"
		"\"egl\":true,\"vulkan\":true}",
		companion);
}

/* ---- the backend ---- */

static void lower_control(const struct cloud_hypervisor *ch, struct lowered *out)
{
	struct arena *arena = ch->arena;
	const char *socket = ch->guest->socket;
	if (!socket)
		return;
	option_add(ch->command, "--api-socket", socket);
	vec_push(arena, &out->sockets, socket);
	const struct control control = {.protocol = "ch", .address = socket};
	lower_shutdown(arena, &control, out);
	lower_state(arena, &control, out);
	lower_balloon(arena, &control, ch->guest, out);
}

/* A connection from the guest to a port of the host arrives at the socket "PATH_PORT". */
static void lower_vsock(const struct cloud_hypervisor *ch, const char *socket, struct lowered *out)
{
	vec_push(ch->arena, &out->sockets, socket);
	if (!ch->guest->vsock.notify)
		return;
	out->notify = arena_printf(ch->arena, "%s_" NOTIFY_PORT, socket);
	vec_push(ch->arena, &out->sockets, out->notify);
}

static void cloud_hypervisor_lower(
	struct arena *arena, const struct guest *guest, struct lowered *out)
{
	out->command.arena = arena;
	const struct cloud_hypervisor ch = {
		arena, guest, &out->command, ch_extra_read(arena, &guest->options->extra_args)};
	add_base(&ch);
	add_kernel(&ch);
	add_memory(&ch);
	add_platform(&ch);
	const char *vsock = has_vsock(&ch) ? add_vsock(&ch) : NULL;
	add_graphics(&ch, &out->companion);
	const size_t pmem = guest->ndisks && guest->disks[0].pmem;
	if (pmem)
		add_pmem(&ch, &guest->disks[0]);
	for (size_t i = pmem; i < guest->ndisks; i++)
		add_disk(&ch, &guest->disks[i], i - pmem);
	for (size_t i = 0; i < guest->nshares; i++)
		add_share(&ch, guest->shares[i], i);
	lower_control(&ch, out);
	if (vsock)
		lower_vsock(&ch, vsock, out);
	for (size_t i = 0; i < guest->nnics; i++)
		add_interface(&ch, &guest->nics[i], i);
	for (size_t i = 0; i < guest->ndevices; i++)
		add_device(&ch, &guest->devices[i], i);
	for (size_t i = 0; i < ch.extra.rest.n; i++)
		command_add(&out->command, ch.extra.rest.v[i]);
	out->accel = ACCEL_KVM;
	out->merges_memory = merges_memory(guest);
	out->forbidden_characters = "\"";
}

static void cloud_hypervisor_modules(
	struct arena *arena, const struct guest *guest, struct module_wishes *wishes)
{
	(void)guest;
	vec_push(arena, wishes,
		(struct module_wish){
			"virtio_pci", "it is the bus of Cloud Hypervisor's devices", false, NULL});
	vec_push(arena, wishes,
		(struct module_wish){
			"button", "microvm-shutdown presses the power button", true, NULL});
}

#define ch_error(diag, where, code, ...) \
	diag_error((diag), STATUS_DESCRIPTION, (where), (code), __VA_ARGS__)

/* The parser does not remove quotes from list items. */
static void check_oem_strings(struct diag *diag, const struct vm *vm, const struct guest *guest)
{
	const struct strings *strings = &own(guest)->platform_oem_strings;
	for (size_t i = 0; i < strings->n; i++) {
		const char *text = strings->v[i];
		size_t length = strlen(text);
		if (!length || strpbrk(text, ",\"[]\n") || strchr(" \t", text[0]) ||
			strchr(" \t", text[length - 1]) || strncmp(text, "oem_strings", 11) == 0)
			ch_error(diag, vm_where(vm, text), "bad-oem-string",
				"cloud-hypervisor.platformOEMStrings[%zu]: expected one string "
				"without ',', '\"', '[', ']' and without blanks at its ends: "
				"\"%.80s\"",
				i, text);
	}
}

static void cloud_hypervisor_check(
	struct diag *diag, const struct vm *vm, const struct guest *guest)
{
	if (!since(guest, 35))
		ch_error(diag, vm_where(vm, &guest->options->version), "not-supported",
			"cloud-hypervisor.version: expected at least 35: older versions lack the "
			"serial numbers by which the guest finds its disks");
	if (vm->hotplug_mem_mib % HOTPLUG_MIB)
		ch_error(diag, vm_where(vm, &vm->hotplug_mem_mib), "not-supported",
			"hotplugMem: cloud-hypervisor requires a multiple of %d MiB", HOTPLUG_MIB);
	/* --api-socket accepts a path, or path= and fd=: cloud-hypervisor/src/main.rs. */
	if (vm->socket &&
		(strncmp(vm->socket, "path=", 5) == 0 || strncmp(vm->socket, "fd=", 3) == 0))
		ch_error(diag, vm_where(vm, &vm->socket), "bad-socket",
			"socket: cloud-hypervisor would read \"%.40s\" as an option; write ./%.40s",
			vm->socket, vm->socket);
	/* The limit is 8192 since version 48. */
	if (!since(guest, 48))
		check_cpus(diag, vm, "cloud-hypervisor before version 48", CPUS_MAX_OLD);
	check_places(diag, guest, "cloud-hypervisor",
		OWN_DEVICES + count_devices_of(guest) + (vm->hotplug_mem_mib != 0), PCI_SLOTS);
	ch_extra_check(diag, vm, guest);
	check_oem_strings(diag, vm, guest);
}

/* bzImages are supported since version 39. */
static bool cloud_hypervisor_boots(const struct guest *guest, enum kernel_format format)
{
	return format != KERNEL_BZIMAGE || since(guest, 39);
}

/* On aarch64 the guest has only a device tree. */
static bool cloud_hypervisor_smbios(const struct guest *guest)
{
	return guest->arch == KERNEL_X86_64;
}

/* CHANGELOG: "advisory locks for disk image files", 05968f5c2 of 2025-05. */
static bool locks_disks(const struct guest *guest)
{
	return since(guest, 46);
}

static const enum kernel_format kernels[] = {KERNEL_BZIMAGE, KERNEL_ELF, KERNEL_ARM64_IMAGE};

const struct backend cloud_hypervisor_backend = {
	.name = "cloud-hypervisor",
	.doc = "Cloud Hypervisor: KVM only; virtiofs, hotplug memory, PCI devices of the host",
	.tested = "version 53 boots with KVM inside a VM, by the tests where it is installed",
	.title = "Cloud Hypervisor",
	.options = options,
	.options_bytes = sizeof(struct cloud_hypervisor_options),
	.capabilities =
		{
			[FEATURE_9P] = {CAN_NOT, GIVE_VIRTIOFS, NULL},
			[FEATURE_VIRTIOFS] = {.can = CAN},
			[FEATURE_SHARE_DAX] = {CAN_NOT, "its --fs has no window for DAX", NULL},
			[FEATURE_USER_NETWORK] = {.can = CAN_NOT},
			[FEATURE_FORWARD_PORTS] = {.can = CAN_NOT},
			[FEATURE_TAP] = {.can = CAN},
			[FEATURE_VHOST_NET] = {.can = CAN_IGNORE},
			[FEATURE_MACVTAP] = {.can = CAN},
			[FEATURE_BRIDGE] = {CAN_NOT, GIVE_TAP_OF_BRIDGE, NULL},
			[FEATURE_VSOCK] = {.can = CAN},
			[FEATURE_NOTIFY] = {.can = CAN},
			[FEATURE_PCI_DEVICES] = {.can = CAN},
			[FEATURE_USB_DEVICES] = {.can = CAN_NOT},
			[FEATURE_ROOT_PORTS] = {.can = CAN_IGNORE},
			[FEATURE_GRAPHICS] = {CAN_WHEN,
				"with a cloud-hypervisor.package that has --gpu, such as "
				"cloud-hypervisor-graphics of microvm.nix",
				may_have_gpu},
			[FEATURE_CPU] = {CAN_IGNORE, CPU_OF_HOST, NULL},
			[FEATURE_HUGEPAGES] = {.can = CAN},
			[FEATURE_HOTPLUG_MEMORY] = {.can = CAN},
			[FEATURE_BALLOON] = {.can = CAN},
			[FEATURE_INITIAL_BALLOON] = {.can = CAN},
			[FEATURE_MACHINE_ID] = {.can = CAN},
			[FEATURE_CREDENTIALS] = {CAN_NOT, CREDENTIALS_ARE_SEEN, NULL},
			[FEATURE_NO_SOCKET] = {.can = CAN},
			[FEATURE_USER] = {CAN_NOT, START_AS_USER, NULL},
			[FEATURE_READ_ONLY_VOLUMES] = {.can = CAN},
			[FEATURE_DIRECT] = {.can = CAN},
			[FEATURE_SERIAL] = {.can = CAN},
			[FEATURE_PMEM] = {.can = CAN},
			[FEATURE_STORE_DIRECT] = {.can = CAN},
			[FEATURE_QCOW2] = {.can = CAN},
			[FEATURE_VHD] = {.can = CAN},
			[FEATURE_EXTRA_ARGS] = {.can = CAN},
		},
	.kernels = kernels,
	.nkernels = countof(kernels),
	.boots = cloud_hypervisor_boots,
	.disk_serials = true,
	.locks_disks = locks_disks,
	.multi_queue = true,
	.check = cloud_hypervisor_check,
	.vsock_socket = VSOCK,
	.vsock_by_arguments = true,
	.notifies = true,
	.makes = cloud_hypervisor_makes,
	.hugetlb = "default",
	.smbios = cloud_hypervisor_smbios,
	.modules = cloud_hypervisor_modules,
	.lower = cloud_hypervisor_lower,
};

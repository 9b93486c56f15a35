/* SPDX-License-Identifier: MIT */
/*
 * vfkit: Apple's Virtualization.framework. Command line according to pkg/cmdline, pkg/config and
 * pkg/rest in its source (0.6.4).
 */
#include <string.h>

#include "backends/interface/option_rows.h"
#include "backends/interface/parts.h"
#include "base/buf.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_ERROR };
static const char *const log_level_names[] = {
	[LOG_LEVEL_DEBUG] = "debug",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_ERROR] = "error",
	NULL,
};

struct vfkit_options {
	struct hypervisor_options common;
	enum log_level log_level;
	struct {
		bool enable, install, ignore_if_missing;
	} rosetta;
};

static const struct option rosetta_options[] = {
	{.name = "enable",
		BOOL(struct vfkit_options, rosetta.enable),
		.def = "false",
		.doc = "Run x86_64 programs on Apple silicon."},
	{.name = "install",
		BOOL(struct vfkit_options, rosetta.install),
		.def = "false",
		.doc = "Install Rosetta if it is missing."},
	{.name = "ignoreIfMissing",
		BOOL(struct vfkit_options, rosetta.ignore_if_missing),
		.def = "false",
		.doc = "Start without Rosetta if it is not available."},
	{0},
};

static const struct option options[] = {
	EXTRA_ARGS("vfkit"),
	{.name = "logLevel",
		ENUM(struct vfkit_options, log_level, log_level),
		.def = "info",
		.doc = "How much vfkit logs."},
	PACKAGE("vfkit"),
	VERSION("vfkit"),
	{.name = "rosetta", GROUP(rosetta_options), .doc = "Rosetta, Apple's translator."},
	{0},
};

/* sun_path has 104 bytes on macOS, including the terminating 0. */
enum { SOCKET_PATH_BYTES = 103 };

struct vfkit {
	struct arena *arena;
	const struct guest *guest;
	struct command *command;
};

static const struct vfkit_options *own(const struct guest *guest)
{
	return (const struct vfkit_options *)guest->options;
}

static void add_base(const struct vfkit *vfkit)
{
	struct command *command = vfkit->command;
	const struct guest *guest = vfkit->guest;
	command_add(command, program_path(vfkit->arena, guest->options->package, "vfkit"));
	option_printf(command, "--cpus", "%llu", (unsigned long long)guest->vcpu);
	option_printf(command, "--memory", "%llu", (unsigned long long)guest->mem_mib);
	option_add(command, "--log-level", log_level_names[own(guest)->log_level]);
	if (guest->graphics.enable)
		command_add(command, "--gui");
}

/*
 * --bootloader linux,… would take neither a file name with a comma nor a parameter with a double
 * quote.
 */
static void add_kernel(const struct vfkit *vfkit)
{
	struct command *command = vfkit->command;
	option_file(command, "--kernel", &vfkit->guest->kernel);
	option_file(command, "--initrd", &vfkit->guest->initrd);
	option_parameters(command, "--kernel-cmdline",
		vfkit->guest->graphics.enable ? "console=tty0 reboot=t panic=-1"
					      : "console=hvc0 reboot=t panic=-1",
		vfkit->guest);
}

static void add_device(const struct vfkit *vfkit, const char *device)
{
	option_add(vfkit->command, "--device", device);
}

static void add_console(const struct vfkit *vfkit)
{
	add_device(vfkit, "virtio-rng");
	if (!vfkit->guest->graphics.enable) {
		add_device(vfkit, "virtio-serial,stdio");
		return;
	}
	add_device(vfkit, "virtio-gpu");
	add_device(vfkit, "virtio-input,keyboard");
	add_device(vfkit, "virtio-input,pointing");
}

static void add_disk(const struct vfkit *vfkit, const struct disk *disk)
{
	command_add(vfkit->command, "--device");
	struct argument *device = command_begin(vfkit->command);
	argument_text(vfkit->command, device, "virtio-blk,path=");
	argument_file(vfkit->command, device, &disk->file, PIECE_RUNNER);
	argument_text(vfkit->command, device,
		arena_printf(vfkit->arena, "%s,deviceId=%s", disk->read_only ? ",readonly" : "",
			disk->serial));
}

static void add_devices(const struct vfkit *vfkit)
{
	const struct guest *guest = vfkit->guest;
	for (size_t i = 0; i < vfkit->guest->nshares; i++)
		add_device(vfkit,
			arena_printf(vfkit->arena, "virtio-fs,sharedDir=%s,mountTag=%s",
				vfkit->guest->shares[i]->source, vfkit->guest->shares[i]->tag));
	for (size_t i = 0; i < guest->nnics; i++)
		add_device(vfkit,
			arena_printf(vfkit->arena, "virtio-net,nat,mac=%s",
				guest->nics[i].interface->mac));
	/* The documentation says ignoreIfMissing, but the parser accepts only this spelling. */
	if (own(guest)->rosetta.enable)
		add_device(vfkit,
			arena_printf(vfkit->arena, "rosetta,mountTag=rosetta%s%s",
				own(guest)->rosetta.install ? ",install" : "",
				own(guest)->rosetta.ignore_if_missing ? ",ignore-if-missing" : ""));
	command_add_all(vfkit->command, &guest->options->extra_args);
}

static const char *escape_url(struct arena *arena, const char *path)
{
	BUF_CLEANUP struct buf escaped = {0};
	for (; *path; path++)
		buf_printf(&escaped, strchr("%?#", *path) ? "%%%02X" : "%c", (unsigned char)*path);
	return arena_strdup(arena, buf_text(&escaped));
}

/* The URL needs an absolute path. */
static void add_socket(const struct vfkit *vfkit)
{
	const char *socket = vfkit->guest->socket;
	if (!socket)
		return;
	command_add(vfkit->command, "--restful-uri");
	struct argument *uri = command_begin(vfkit->command);
	argument_text(vfkit->command, uri, "unix://");
	if (socket[0] != '/') {
		argument_piece(vfkit->command, uri, PIECE_STATE_URL);
		argument_text(vfkit->command, uri, "/");
	}
	argument_text(vfkit->command, uri, escape_url(vfkit->arena, socket));
}

static void vfkit_lower(struct arena *arena, const struct guest *guest, struct lowered *out)
{
	out->command.arena = arena;
	const struct vfkit vfkit = {arena, guest, &out->command};
	add_base(&vfkit);
	add_kernel(&vfkit);
	add_console(&vfkit);
	for (size_t i = 0; i < guest->ndisks; i++)
		add_disk(&vfkit, &guest->disks[i]);
	add_devices(&vfkit);
	add_socket(&vfkit);
	out->accel = ACCEL_MACOS;
	out->forbidden_characters = ",";
	if (guest->socket)
		vec_push(arena, &out->sockets, guest->socket);
	lower_shutdown(
		arena, &(const struct control){.protocol = "vfkit", .address = guest->socket}, out);
}

static void vfkit_check(struct diag *diag, const struct vm *vm, const struct guest *guest)
{
	(void)guest;
	for (size_t i = 0; i < vm->volumes.n; i++)
		check_comma(diag, &vm->volumes.v[i].where, "vfkit", "volumes", i,
			vm->volumes.v[i].image);
	for (size_t i = 0; i < vm->shares.n; i++) {
		const struct share *share = &vm->shares.v[i];
		check_comma(diag, &share->where, "vfkit", "shares", i, share->source);
		check_read_only(diag, vm, i, "vfkit does not support read-only shares");
	}
	if (vm->socket && strlen(vm->socket) > SOCKET_PATH_BYTES)
		diag_error(diag, STATUS_DESCRIPTION, vm_where(vm, &vm->socket), "bad-socket",
			"socket: its path is longer than the %d bytes that macOS allows",
			SOCKET_PATH_BYTES);
}

static bool vfkit_check_guest(struct diag *diag, const struct vm *vm, const struct guest *guest)
{
	if (!own(guest)->rosetta.enable || guest->arch == KERNEL_AARCH64)
		return true;
	return diag_error(diag, STATUS_DESCRIPTION, vm_where(vm, &own(guest)->rosetta.enable),
		"not-supported",
		"vfkit.rosetta: Rosetta is for guests on Apple silicon, and this kernel is for %s",
		kernel_arch_name(guest->arch));
}

static void vfkit_modules(
	struct arena *arena, const struct guest *guest, struct module_wishes *wishes)
{
	(void)guest;
	vec_push(arena, wishes,
		(struct module_wish){
			"virtio_pci", "it is the bus of vfkit's devices", false, NULL});
	vec_push(arena, wishes,
		(struct module_wish){"virtio_console", "it is vfkit's console", false, NULL});
}

/* For Apple silicon, and for Macs with an Intel CPU. */
static const enum kernel_format kernels[] = {KERNEL_ARM64_IMAGE, KERNEL_BZIMAGE};

const struct backend vfkit_backend = {
	.name = "vfkit",
	.doc = "vfkit: macOS's Virtualization.framework",
	.tested = "only its arguments are tested, never on a Mac",
	.title = "vfkit",
	.options = options,
	.options_bytes = sizeof(struct vfkit_options),
	.writable_shares = true,
	.capabilities =
		{
			[FEATURE_9P] = {CAN_NOT, GIVE_VIRTIOFS, NULL},
			[FEATURE_VIRTIOFS] = {.can = CAN},
			[FEATURE_SHARE_DAX] = {CAN_NOT, "its virtiofs device has no window for DAX",
				NULL},
			[FEATURE_USER_NETWORK] = {.can = CAN},
			[FEATURE_FORWARD_PORTS] = {.can = CAN_NOT},
			[FEATURE_TAP] = {CAN_NOT, "set type: user for the interface", NULL},
			[FEATURE_VHOST_NET] = {.can = CAN_NOT},
			[FEATURE_MACVTAP] = {CAN_NOT, "set type: user for the interface", NULL},
			[FEATURE_BRIDGE] = {CAN_NOT, "set type: user for the interface", NULL},
			[FEATURE_VSOCK] = {CAN_NOT, "it offers single ports, not an address", NULL},
			[FEATURE_NOTIFY] = {CAN_NOT, NO_NOTIFY_SOCKET, NULL},
			[FEATURE_PCI_DEVICES] = {.can = CAN_NOT},
			[FEATURE_USB_DEVICES] = {.can = CAN_NOT},
			[FEATURE_ROOT_PORTS] = {.can = CAN_IGNORE},
			[FEATURE_GRAPHICS] = {.can = CAN},
			[FEATURE_CPU] = {CAN_IGNORE, CPU_OF_HOST, NULL},
			[FEATURE_HUGEPAGES] = {.can = CAN_IGNORE},
			[FEATURE_HOTPLUG_MEMORY] = {.can = CAN_NOT},
			[FEATURE_BALLOON] = {CAN_NOT, "its balloon cannot be resized", NULL},
			[FEATURE_INITIAL_BALLOON] = {.can = CAN_NOT},
			[FEATURE_MACHINE_ID] = {.can = CAN},
			[FEATURE_CREDENTIALS] = {.can = CAN_NOT},
			[FEATURE_NO_SOCKET] = {.can = CAN},
			[FEATURE_USER] = {CAN_NOT, START_AS_USER, NULL},
			[FEATURE_READ_ONLY_VOLUMES] = {.can = CAN},
			[FEATURE_DIRECT] = {.can = CAN_IGNORE},
			[FEATURE_SERIAL] = {.can = CAN},
			[FEATURE_PMEM] = {CAN_NOT, "it has no virtio-pmem", NULL},
			[FEATURE_STORE_DIRECT] = {CAN_NOT,
				"it reads images through macOS's cache "
				"(DiskImageCachingModeCached)",
				NULL},
			[FEATURE_QCOW2] = {.can = CAN_NOT},
			[FEATURE_VHD] = {.can = CAN_NOT},
			[FEATURE_EXTRA_ARGS] = {.can = CAN},
		},
	.kernels = kernels,
	.nkernels = countof(kernels),
	.disk_serials = true,
	.locks_disks = locks_always,
	.macos = true,
	.check = vfkit_check,
	.check_guest = vfkit_check_guest,
	.modules = vfkit_modules,
	.lower = vfkit_lower,
};

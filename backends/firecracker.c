/* SPDX-License-Identifier: MIT */
/*
 * firecracker: Firecracker, with KVM. Configuration according to its source, versions 1.4 to 1.16:
 * src/vmm/src/resources.rs (VmmConfig, the file of --config-file), src/vmm/src/vmm_config/ and
 * CHANGELOG.md.
 */
#include <string.h>

#include "backends/interface/config.h"
#include "backends/interface/option_rows.h"
#include "backends/interface/parts.h"
#include "base/suggest.h"

enum drive_io_engine { DRIVE_IO_ASYNC, DRIVE_IO_SYNC };
static const char *const drive_io_engine_names[] = {
	[DRIVE_IO_ASYNC] = "Async",
	[DRIVE_IO_SYNC] = "Sync",
	NULL,
};

struct firecracker_options {
	struct hypervisor_options common;
	const struct node *cpu, *extra_config;
	enum drive_io_engine drive_io_engine;
};

static const struct option options[] = {
	{.name = "cpu", TREE(struct firecracker_options, cpu), .doc = "CPU template."},
	{.name = "driveIoEngine",
		ENUM(struct firecracker_options, drive_io_engine, drive_io_engine),
		.def = "Async",
		.doc = "The I/O engine of disks."},
	EXTRA_ARGS("firecracker"),
	{.name = "extraConfig",
		TREE(struct firecracker_options, extra_config),
		.doc = "Merged into firecracker's configuration."},
	PACKAGE("firecracker"),
	VERSION("firecracker"),
	{0},
};

/* The name that microvm.nix's host module expects. */
#define VSOCK "notify.vsock"

/*
 * Device limits: the slots of the PCI bus without the host bridge
 * (src/vmm/src/devices/pci/pci_segment.rs). Without PCI, on x86, the interrupts 5 to 23
 * (arch/x86_64/layout.rs), one of which VMGenID takes since 1.8.
 */
enum { CPUS_MAX = 32, HOTPLUG_SLOT_MIB = 128, PCI_SLOTS = 31, MMIO_PLACES = 19 };

static const struct firecracker_options *own(const struct guest *guest)
{
	return (const struct firecracker_options *)guest->options;
}

static bool since(const struct guest *guest, unsigned minor)
{
	return version_at_least(guest->options->version, 1, minor);
}

static bool has_pmem(const struct guest *guest)
{
	return since(guest, 14);
}

static bool has_huge_pages(const struct guest *guest)
{
	return since(guest, 7);
}

static bool has_pci(const struct guest *guest)
{
	return since(guest, 13);
}

static bool has_memory_hotplug(const struct guest *guest)
{
	return since(guest, 14);
}

/* ---- the configuration file ---- */

/*
 * A reset by the keyboard controller ends Firecracker cleanly; a triple fault would be an error.
 * Ctrl-Alt-Del also comes through that controller. Guests with ACPI find it only without
 * i8042.nopnp.
 */
static const char *own_parameters(enum kernel_arch arch)
{
	return arch == KERNEL_X86_64
		? "console=ttyS0,115200 reboot=k panic=1 i8042.noaux i8042.nomux i8042.dumbkbd"
		: "console=ttyS0,115200 reboot=k panic=1";
}

/*
 * Without PCI, Firecracker adds "pci=off" and a parameter for each device (src/vmm/src/builder.rs);
 * on arm64, "earlycon=uart,mmio,0x40002000".
 */
static size_t firecracker_parameter_bytes(const struct guest *guest)
{
	size_t devices = guest->ndisks + guest->nnics + 1 + guest->balloon +
		(guest->vsock.cid >= 0) + (guest->hotplug_mem_mib > 0);
	return strlen(own_parameters(guest->arch)) + 1 +
		(has_pci(guest) ? 40 : 40 + mmio_parameter_bytes(devices));
}

static void boot_source_add(struct config *config, const struct guest *guest, struct node *root)
{
	struct node *source = config_add(config, root, "boot-source", NODE_MAP);
	config_add_file(config, source, "kernel_image_path", &guest->kernel);
	if (guest->initrd.path)
		config_add_file(config, source, "initrd_path", &guest->initrd);
	const char *known = parameters_known(config->arena, own_parameters(guest->arch), guest);
	const struct node *parameters = config_add_text(config, source, "boot_args", known);
	config_add_late(config, parameters, PIECE_PARAMETERS_JSON);
}

static void machine_add(struct config *config, const struct guest *guest, struct node *root)
{
	struct node *machine = config_add(config, root, "machine-config", NODE_MAP);
	config_add_number(config, machine, "vcpu_count", guest->vcpu);
	config_add_number(config, machine, "mem_size_mib", guest->mem_mib);
	/* With two threads per core, Firecracker accepts only an even number of CPUs, or 1. */
	config_add_bool(config, machine, "smt",
		guest->arch == KERNEL_X86_64 && (guest->vcpu == 1 || guest->vcpu % 2 == 0));
	if (guest->hugepage_mem)
		config_add_text(config, machine, "huge_pages", "2M");
}

static void drives_add(struct config *config, const struct guest *guest, struct node *root)
{
	struct node *drives = config_add(config, root, "drives", NODE_LIST);
	for (size_t i = 0; i < guest->ndisks; i++) {
		const struct disk *disk = &guest->disks[i];
		if (disk->pmem)
			continue;
		struct node *drive = config_add_item(config, drives);
		config_add_text(config, drive, "drive_id", disk->id);
		config_add_file(config, drive, "path_on_host", &disk->file);
		config_add_bool(config, drive, "is_root_device", false);
		config_add_bool(config, drive, "is_read_only", disk->read_only);
		/* The default, "Unsafe", ignores the guest's flush requests. */
		if (!disk->read_only)
			config_add_text(config, drive, "cache_type", "Writeback");
		/* Async is io_uring. */
		const enum drive_io_engine wanted = own(guest)->drive_io_engine;
		const bool async = wanted == DRIVE_IO_ASYNC;
		const struct node *engine = config_add_text(
			config, drive, "io_engine", async ? "" : drive_io_engine_names[wanted]);
		if (async)
			config_add_late(config, engine, PIECE_ENGINE_JSON);
	}
}

static void pmem_add(struct config *config, const struct guest *guest, struct node *root)
{
	if (!guest->ndisks || !guest->disks[0].pmem)
		return;
	struct node *list = config_add(config, root, "pmem", NODE_LIST),
		    *pmem = config_add_item(config, list);
	config_add_text(config, pmem, "id", guest->disks[0].id);
	config_add_file(config, pmem, "path_on_host", &guest->disks[0].file);
	config_add_bool(config, pmem, "root_device", false);
	config_add_bool(config, pmem, "read_only", true);
}

static void interfaces_add(struct config *config, const struct guest *guest, struct node *root)
{
	struct node *interfaces = config_add(config, root, "network-interfaces", NODE_LIST);
	for (size_t i = 0; i < guest->nnics; i++) {
		const struct interface *interface = guest->nics[i].interface;
		struct node *map = config_add_item(config, interfaces);
		config_add_text(config, map, "iface_id", interface->id);
		config_add_text(config, map, "host_dev_name", interface->id);
		config_add_text(config, map, "guest_mac", interface->mac);
	}
}

static void memory_devices_add(struct config *config, const struct guest *guest, struct node *root)
{
	if (guest->balloon) {
		struct node *balloon = config_add(config, root, "balloon", NODE_MAP);
		config_add_number(config, balloon, "amount_mib", guest->initial_balloon_mem_mib);
		config_add_bool(config, balloon, "deflate_on_oom", guest->deflate_on_oom);
		/* Without statistics the balloon's actual size cannot be queried. */
		config_add_number(config, balloon, "stats_polling_interval_s", 1);
		if (since(guest, 14))
			config_add_bool(config, balloon, "free_page_reporting", true);
	}
	if (guest->hotplug_mem_mib) {
		struct node *hotplug = config_add(config, root, "memory-hotplug", NODE_MAP);
		config_add_number(config, hotplug, "total_size_mib", guest->hotplug_mem_mib);
	}
}

static struct node *config_make(struct config *config, const struct guest *guest)
{
	static const struct pos nowhere;
	struct node *root = node_new(config->arena, NODE_MAP, &nowhere);
	boot_source_add(config, guest, root);
	machine_add(config, guest, root);
	drives_add(config, guest, root);
	pmem_add(config, guest, root);
	interfaces_add(config, guest, root);
	memory_devices_add(config, guest, root);
	if (since(guest, 4))
		config_add(config, root, "entropy", NODE_MAP);
	if (guest->vsock.cid >= 0) {
		struct node *vsock = config_add(config, root, "vsock", NODE_MAP);
		config_add_number(config, vsock, "guest_cid", (uint64_t)guest->vsock.cid);
		config_add_text(config, vsock, "uds_path", VSOCK);
	}
	if (own(guest)->cpu)
		*config_add(config, root, "cpu-config", NODE_MAP) = *own(guest)->cpu;
	if (!own(guest)->extra_config)
		return root;
	struct node extra = *own(guest)->extra_config;
	return node_merge(config->arena, root, &extra);
}

/* ---- the backend ---- */

static const char *config_name(struct arena *arena, const struct guest *guest)
{
	return arena_printf(arena, "%s-firecracker.json", guest->host_name);
}

/* The path of the vsock's socket, which extraConfig may set; NULL: no vsock. */
static const char *vsock_path(const struct node *config)
{
	const struct node *vsock =
		config && config->kind == NODE_MAP ? node_get(config, "vsock") : NULL;
	const struct node *path =
		vsock && vsock->kind == NODE_MAP ? node_get(vsock, "uds_path") : NULL;
	return path && path->kind == NODE_SCALAR && *path->text ? path->text : NULL;
}

static void firecracker_makes(
	struct arena *arena, const struct guest *guest, struct made_files *out)
{
	const char *socket = vsock_path(own(guest)->extra_config);
	vec_push(arena, out,
		(struct made_file){
			config_name(arena, guest), "firecracker's configuration", false});
	if (socket || guest->vsock.cid >= 0)
		vec_push(arena, out,
			(struct made_file){socket ? socket : VSOCK, "the vsock's socket", true});
}

static void lower_control(struct arena *arena, const struct guest *guest, const struct node *config,
	struct lowered *out)
{
	const char *vsock = vsock_path(config);
	if (guest->socket)
		vec_push(arena, &out->sockets, guest->socket);
	if (vsock)
		vec_push(arena, &out->sockets, vsock);
	const struct control control = {.protocol = "fc", .address = guest->socket};
	lower_shutdown(arena, &control, out);
	lower_state(arena, &control, out);
	lower_balloon(arena, &control, guest, out);
}

static void lower_command(
	struct arena *arena, const struct guest *guest, struct command *command, const char *config)
{
	command_add(command, program_path(arena, guest->options->package, "firecracker"));
	option_add(command, "--config-file", config);
	command_add(command, guest->socket ? "--api-sock" : "--no-api");
	if (guest->socket)
		command_add(command, guest->socket);
	if (has_pci(guest))
		command_add(command, "--enable-pci");
	command_add_all(command, &guest->options->extra_args);
}

static void firecracker_lower(struct arena *arena, const struct guest *guest, struct lowered *out)
{
	struct config config = {.arena = arena};
	const struct node *root = config_make(&config, guest);
	out->config.name = config_name(arena, guest);
	config_write(&config, root, &out->config.pieces);

	out->command.arena = arena;
	lower_command(arena, guest, &out->command, out->config.name);
	lower_control(arena, guest, root, out);
	out->accel = ACCEL_KVM;
}

static void firecracker_modules(
	struct arena *arena, const struct guest *guest, struct module_wishes *wishes)
{
	vec_push(arena, wishes,
		(struct module_wish){has_pci(guest) ? "virtio_pci" : "virtio_mmio",
			"it is the bus of Firecracker's devices", false, NULL});
	static const char why[] = "microvm-shutdown presses Ctrl-Alt-Del";
	vec_push(arena, wishes, (struct module_wish){"i8042", why, true, NULL});
	vec_push(arena, wishes, (struct module_wish){"atkbd", why, true, NULL});
}

#define firecracker_error(diag, where, ...) \
	diag_error((diag), STATUS_DESCRIPTION, (where), "not-supported", __VA_ARGS__)

/* Firecracker silently ignores unknown keys at the top level. */
static void check_extra_config(struct diag *diag, const struct node *extra)
{
	static const char *const keys[] = {
		"balloon",
		"boot-source",
		"cpu-config",
		"drives",
		"entropy",
		"logger",
		"machine-config",
		"memory-hotplug",
		"metrics",
		"mmds-config",
		"network-interfaces",
		"pmem",
		"vsock",
	};
	if (extra->kind != NODE_MAP)
		diag_error(diag, STATUS_DESCRIPTION, &extra->pos, "wrong-type",
			"firecracker.extraConfig: expected a map");
	for (size_t i = 0; i < extra->entries.n; i++) {
		const char *key = extra->entries.v[i].key;
		bool known = false;
		for (size_t k = 0; k < countof(keys); k++)
			known |= strcmp(key, keys[k]) == 0;
		const char *near = known ? NULL : suggest(key, keys, countof(keys));
		if (!known)
			diag_error(diag, STATUS_DESCRIPTION, &extra->entries.v[i].key_pos,
				"unknown-option",
				"firecracker.extraConfig: unknown key \"%.80s\"%s%s%s", key,
				near ? "; did you mean \"" : "", near ? near : "",
				near ? "\"?" : "");
	}
}

static void firecracker_check_hotplug(struct diag *diag, const struct vm *vm)
{
	if (vm->hotplug_mem_mib % HOTPLUG_SLOT_MIB)
		firecracker_error(diag, vm_where(vm, &vm->hotplug_mem_mib),
			"hotplugMem: firecracker requires a multiple of %d MiB", HOTPLUG_SLOT_MIB);
	if (!vm->hotplugged_mem_mib)
		return;
	if (vm_where(vm, &vm->hotplugged_mem_mib))
		firecracker_error(diag, vm_where(vm, &vm->hotplugged_mem_mib),
			"hotpluggedMem: firecracker cannot start with hotplugged memory; set 0, "
			"and request it with PATCH /hotplug/memory once the VM runs");
	else
		diag_warning(diag, vm_where(vm, &vm->hotplug_mem_mib), "ignored",
			"hotplugMem: firecracker starts without this memory; request it with PATCH "
			"/hotplug/memory once the VM runs");
}

static void firecracker_check(struct diag *diag, const struct vm *vm, const struct guest *guest)
{
	const struct node *cpu = own(guest)->cpu;
	if (vm->vcpu > CPUS_MAX)
		firecracker_error(diag, vm_where(vm, &vm->vcpu),
			"vcpu: firecracker supports at most %d", CPUS_MAX);
	firecracker_check_hotplug(diag, vm);
	const struct single_option single[] = {
		{"--config-file", "it has the whole VM", true},
		{"--api-sock", "socket", guest->socket != NULL},
		{"--no-api", "socket: null", guest->socket == NULL},
		{"--enable-pci", "for more devices", has_pci(guest)},
	};
	check_single_options(diag, vm, guest, "firecracker", single, countof(single));
	if (cpu && cpu->kind != NODE_MAP)
		diag_error(diag, STATUS_DESCRIPTION, &cpu->pos, "wrong-type",
			"firecracker.cpu: expected a map");
	if (cpu && !since(guest, 13))
		firecracker_error(diag, &cpu->pos,
			"firecracker.cpu: a template in the configuration requires version 1.13");
	if (own(guest)->extra_config)
		check_extra_config(diag, own(guest)->extra_config);
}

static bool firecracker_check_guest(
	struct diag *diag, const struct vm *vm, const struct guest *guest)
{
	(void)vm;
	size_t devices = count_devices_of(guest) + since(guest, 4) + (guest->hotplug_mem_mib != 0);
	if (has_pci(guest))
		return check_places(diag, guest, "firecracker", devices, PCI_SLOTS);
	return guest->arch != KERNEL_X86_64 ||
		check_places(diag, guest, "firecracker before version 1.13", devices,
			MMIO_PLACES - since(guest, 8));
}

static const enum kernel_format kernels[] = {KERNEL_ELF, KERNEL_ARM64_IMAGE};

#define TAP_ONLY "it supports only taps; set type: tap for the interface"

const struct backend firecracker_backend = {
	.name = "firecracker",
	.doc = "Firecracker: KVM only; small and fast, disks and taps",
	.tested = "version 1.16 boots with KVM inside a VM, by the tests where it is installed",
	.title = "Firecracker",
	.options = options,
	.options_bytes = sizeof(struct firecracker_options),
	.capabilities =
		{
			[FEATURE_9P] = {CAN_NOT, "it cannot share directories", NULL},
			[FEATURE_VIRTIOFS] = {CAN_NOT, "it cannot share directories", NULL},
			[FEATURE_SHARE_DAX] = {CAN_NOT, "it cannot share directories", NULL},
			[FEATURE_USER_NETWORK] = {CAN_NOT, TAP_ONLY, NULL},
			[FEATURE_FORWARD_PORTS] = {.can = CAN_NOT},
			[FEATURE_TAP] = {.can = CAN},
			[FEATURE_VHOST_NET] = {.can = CAN_IGNORE},
			[FEATURE_MACVTAP] = {CAN_NOT, TAP_ONLY, NULL},
			[FEATURE_BRIDGE] = {CAN_NOT, GIVE_TAP_OF_BRIDGE, NULL},
			[FEATURE_VSOCK] = {.can = CAN},
			[FEATURE_NOTIFY] = {CAN_NOT, NO_NOTIFY_SOCKET, NULL},
			[FEATURE_PCI_DEVICES] = {.can = CAN_NOT},
			[FEATURE_USB_DEVICES] = {.can = CAN_NOT},
			[FEATURE_ROOT_PORTS] = {.can = CAN_IGNORE},
			[FEATURE_GRAPHICS] = {.can = CAN_NOT},
			[FEATURE_CPU] = {CAN_IGNORE, "use a CPU template in firecracker.cpu", NULL},
			[FEATURE_HUGEPAGES] = {CAN_WHEN, "since version 1.7", has_huge_pages},
			[FEATURE_HOTPLUG_MEMORY] = {CAN_WHEN, "since version 1.14",
				has_memory_hotplug},
			[FEATURE_BALLOON] = {.can = CAN},
			[FEATURE_INITIAL_BALLOON] = {.can = CAN},
			[FEATURE_MACHINE_ID] = {.can = CAN},
			[FEATURE_CREDENTIALS] = {CAN_NOT, NO_SMBIOS_NO_FW_CFG, NULL},
			[FEATURE_NO_SOCKET] = {.can = CAN},
			[FEATURE_USER] = {CAN_NOT, "start it as that user, or through its jailer",
				NULL},
			[FEATURE_READ_ONLY_VOLUMES] = {.can = CAN},
			[FEATURE_DIRECT] = {.can = CAN_IGNORE},
			[FEATURE_SERIAL] = {CAN_IGNORE, DISKS_BY_ORDER, NULL},
			[FEATURE_PMEM] = {CAN_WHEN, "from version 1.14 on", has_pmem},
			[FEATURE_STORE_DIRECT] = {CAN_NOT,
				"it opens images without O_DIRECT, and has no option for that",
				NULL},
			[FEATURE_QCOW2] = {CAN_NOT, "it supports only raw images", NULL},
			[FEATURE_VHD] = {CAN_NOT, "it supports only raw images", NULL},
			[FEATURE_EXTRA_ARGS] = {.can = CAN},
		},
	.kernels = kernels,
	.nkernels = countof(kernels),
	.parameter_bytes = firecracker_parameter_bytes,
	.check = firecracker_check,
	.check_guest = firecracker_check_guest,
	.vsock_socket = VSOCK,
	.makes = firecracker_makes,
	.hugetlb = "2048",
	.modules = firecracker_modules,
	.lower = firecracker_lower,
};

/* SPDX-License-Identifier: MIT */
/*
 * firecracker: Firecracker, with KVM. Facts: Firecracker's source, src/vmm/src/resources.rs (VmmConfig, the file given by --config-file),
 * src/vmm/src/vmm_config/ and CHANGELOG.md, versions 1.4 to 1.16.
 */
#include <string.h>

#include "backends/parts.h"
#include "compiler/base/buf.h"
#include "compiler/base/suggest.h"
#include "compiler/doc.h"
#include "compiler/doc_json.h"

/* The name that the reference's host expects. */
#define VSOCK "notify.vsock"

enum { CPUS_MAX = 32, HOTPLUG_SLOT_MIB = 128 };

/* A text of the configuration that is complete only when the VM starts. */
struct late {
	const struct node *node;
	enum piece_kind kind; /* PIECE_RUNNER_JSON before the text, or PIECE_PARAMETERS_JSON behind it */
};

struct firecracker {
	struct arena *arena;
	const struct guest *guest;
	const struct vm *vm;
	VEC(struct late) lates;
};

static bool since(const struct vm *vm, unsigned minor)
{
	return version_at_least(vm->firecracker.common.version, 1, minor);
}

static bool has_huge_pages(const struct vm *vm)
{
	return since(vm, 7);
}

static bool has_pci(const struct vm *vm)
{
	return since(vm, 13);
}

static bool has_memory_hotplug(const struct vm *vm)
{
	return since(vm, 14);
}

/* ---- the configuration as a tree ---- */

static struct node *child_add(struct firecracker *firecracker, struct node *map, const char *key, enum node_kind kind)
{
	static const struct pos nowhere;
	struct node *node = node_new(firecracker->arena, kind, &nowhere);
	if (map->kind == NODE_LIST)
		vec_push(firecracker->arena, &map->items, node);
	else
		node_set(firecracker->arena, map, &(struct entry){key, nowhere, node});
	return node;
}

static struct node *item_add(struct firecracker *firecracker, struct node *list)
{
	return child_add(firecracker, list, NULL, NODE_MAP);
}

static struct node *text_add(struct firecracker *firecracker, struct node *map, const char *key, const char *text)
{
	struct node *node = child_add(firecracker, map, key, NODE_SCALAR);
	node->text = text;
	node->quoted = true;
	return node;
}

static void number_add(struct firecracker *firecracker, struct node *map, const char *key, uint64_t number)
{
	child_add(firecracker, map, key, NODE_SCALAR)->text = arena_printf(firecracker->arena, "%llu", (unsigned long long)number);
}

static void bool_add(struct firecracker *firecracker, struct node *map, const char *key, bool value)
{
	child_add(firecracker, map, key, NODE_SCALAR)->text = value ? "true" : "false";
}

static void file_add(struct firecracker *firecracker, struct node *map, const char *key, const struct file_ref *file)
{
	const char *text = file->in_runner ? arena_printf(firecracker->arena, "/%s", file->path) : file->path;
	const struct node *node = text_add(firecracker, map, key, text);
	if (file->in_runner)
		vec_push(firecracker->arena, &firecracker->lates, (struct late){node, PIECE_RUNNER_JSON});
}

static void boot_source_add(struct firecracker *firecracker, struct node *config)
{
	const struct guest *guest = firecracker->guest;
	struct node *source = child_add(firecracker, config, "boot-source", NODE_MAP);
	file_add(firecracker, source, "kernel_image_path", &guest->kernel);
	if (guest->initrd.path)
		file_add(firecracker, source, "initrd_path", &guest->initrd);
	/*
	 * A reset by the keyboard controller ends Firecracker; a triple fault would be an error. Ctrl-Alt-Del comes through that controller as well, which
	 * guests with ACPI find only without i8042.nopnp.
	 */
	const char *own = guest->arch == KERNEL_X86_64 ? "console=ttyS0,115200 reboot=k panic=1 i8042.noaux i8042.nomux i8042.dumbkbd"
						       : "console=ttyS0,115200 reboot=k panic=1";
	const struct node *parameters = text_add(firecracker, source, "boot_args", parameters_known(firecracker->arena, own, guest));
	vec_push(firecracker->arena, &firecracker->lates, (struct late){parameters, PIECE_PARAMETERS_JSON});
}

static void machine_add(struct firecracker *firecracker, struct node *config)
{
	const struct vm *vm = firecracker->vm;
	struct node *machine = child_add(firecracker, config, "machine-config", NODE_MAP);
	number_add(firecracker, machine, "vcpu_count", vm->vcpu);
	number_add(firecracker, machine, "mem_size_mib", vm->mem_mib);
	/* Two threads a core: the CPUs come in pairs. */
	bool_add(firecracker, machine, "smt", firecracker->guest->arch == KERNEL_X86_64 && (vm->vcpu == 1 || vm->vcpu % 2 == 0));
	if (vm->hugepage_mem)
		text_add(firecracker, machine, "huge_pages", "2M");
}

static void drives_add(struct firecracker *firecracker, struct node *config)
{
	struct node *drives = child_add(firecracker, config, "drives", NODE_LIST);
	for (size_t i = 0; i < firecracker->guest->ndisks; i++) {
		const struct disk *disk = &firecracker->guest->disks[i];
		struct node *drive = item_add(firecracker, drives);
		text_add(firecracker, drive, "drive_id", disk->id);
		file_add(firecracker, drive, "path_on_host", &disk->file);
		bool_add(firecracker, drive, "is_root_device", false);
		bool_add(firecracker, drive, "is_read_only", disk->read_only);
		/* The default, "Unsafe", does not flush when the guest asks for it. */
		if (!disk->read_only)
			text_add(firecracker, drive, "cache_type", "Writeback");
		text_add(firecracker, drive, "io_engine", firecracker->vm->firecracker.drive_io_engine);
	}
}

static void interfaces_add(struct firecracker *firecracker, struct node *config)
{
	struct node *interfaces = child_add(firecracker, config, "network-interfaces", NODE_LIST);
	for (size_t i = 0; i < firecracker->guest->nnics; i++) {
		const struct interface *interface = firecracker->guest->nics[i].interface;
		struct node *map = item_add(firecracker, interfaces);
		text_add(firecracker, map, "iface_id", interface->id);
		text_add(firecracker, map, "host_dev_name", interface->id);
		text_add(firecracker, map, "guest_mac", interface->mac);
	}
}

static void memory_devices_add(struct firecracker *firecracker, struct node *config)
{
	const struct vm *vm = firecracker->vm;
	if (vm->balloon) {
		struct node *balloon = child_add(firecracker, config, "balloon", NODE_MAP);
		number_add(firecracker, balloon, "amount_mib", vm->initial_balloon_mem_mib);
		bool_add(firecracker, balloon, "deflate_on_oom", vm->deflate_on_oom);
		/* Without statistics the size that the balloon has reached cannot be read. */
		number_add(firecracker, balloon, "stats_polling_interval_s", 1);
		if (since(vm, 14))
			bool_add(firecracker, balloon, "free_page_reporting", true);
	}
	if (vm->hotplug_mem_mib) {
		struct node *hotplug = child_add(firecracker, config, "memory-hotplug", NODE_MAP);
		number_add(firecracker, hotplug, "total_size_mib", vm->hotplug_mem_mib);
	}
}

static struct node *config_make(struct firecracker *firecracker)
{
	static const struct pos nowhere;
	const struct vm *vm = firecracker->vm;
	struct node *config = node_new(firecracker->arena, NODE_MAP, &nowhere);
	boot_source_add(firecracker, config);
	machine_add(firecracker, config);
	drives_add(firecracker, config);
	interfaces_add(firecracker, config);
	memory_devices_add(firecracker, config);
	if (since(vm, 4))
		child_add(firecracker, config, "entropy", NODE_MAP);
	if (vm->vsock.cid >= 0) {
		struct node *vsock = child_add(firecracker, config, "vsock", NODE_MAP);
		number_add(firecracker, vsock, "guest_cid", (uint64_t)vm->vsock.cid);
		text_add(firecracker, vsock, "uds_path", VSOCK);
	}
	if (vm->firecracker.cpu)
		*child_add(firecracker, config, "cpu-config", NODE_MAP) = *vm->firecracker.cpu;
	if (!vm->firecracker.extra_config)
		return config;
	struct node extra = *vm->firecracker.extra_config;
	return node_merge(firecracker->arena, config, &extra);
}

/* ---- the tree as a document ---- */

struct writer {
	const struct firecracker *firecracker;
	struct pieces *out;
	struct buf text; /* since the last piece */
};

static void writer_flush(struct writer *writer)
{
	struct arena *arena = writer->firecracker->arena;
	vec_push(arena, writer->out, (struct piece){PIECE_TEXT, arena_strdup(arena, buf_text(&writer->text))});
	buf_free(&writer->text);
	writer->text = (struct buf){0};
}

static const struct late *late_find(const struct firecracker *firecracker, const struct node *node)
{
	for (size_t i = 0; i < firecracker->lates.n; i++)
		if (firecracker->lates.v[i].node == node)
			return &firecracker->lates.v[i];
	return NULL;
}

static void scalar_put(struct writer *writer, const struct node *node)
{
	const struct late *late = late_find(writer->firecracker, node);
	BUF_CLEANUP struct buf json = {0};
	json_put_scalar(&json, node);
	/* The piece stands inside the quotes. */
	size_t before = !late ? json.n : late->kind == PIECE_RUNNER_JSON ? 1 : json.n - 1;
	buf_add(&writer->text, json.p, before);
	if (!late)
		return;
	writer_flush(writer);
	vec_push(writer->firecracker->arena, writer->out, (struct piece){late->kind, NULL});
	buf_puts(&writer->text, json.p + before);
}

static void node_put(struct writer *writer, const struct node *node, int depth)
{
	if (node->kind == NODE_SCALAR) {
		scalar_put(writer, node);
		return;
	}
	bool list = node->kind == NODE_LIST;
	size_t count = list ? node->items.n : node->entries.n;
	buf_puts(&writer->text, list ? "[" : "{");
	for (size_t i = 0; i < count; i++) {
		buf_printf(&writer->text, "%s\n%*s", i ? "," : "", 2 * depth + 2, "");
		if (!list) {
			json_put_text(&writer->text, node->entries.v[i].key);
			buf_puts(&writer->text, ": ");
		}
		node_put(writer, list ? node->items.v[i] : node->entries.v[i].value, depth + 1);
	}
	if (count)
		buf_printf(&writer->text, "\n%*s", 2 * depth, "");
	buf_puts(&writer->text, list ? "]" : "}");
}

/* ---- the backend ---- */

static void lower_control(struct arena *arena, const struct vm *vm, const struct node *config, struct lowered *out)
{
	const struct node *vsock = node_get(config, "vsock"), *path = vsock && vsock->kind == NODE_MAP ? node_get(vsock, "uds_path") : NULL;
	if (vm->socket)
		vec_push(arena, &out->stale, vm->socket);
	if (path && path->kind == NODE_SCALAR && *path->text)
		vec_push(arena, &out->stale, path->text);
	const struct control control = {.protocol = "fc", .address = vm->socket};
	lower_shutdown(arena, &control, out);
	lower_balloon(arena, &control, vm, out);
}

static void lower_command(struct arena *arena, const struct vm *vm, struct command *command, const char *config)
{
	command_add(command, program_path(arena, vm->firecracker.common.package, "firecracker"));
	option_add(command, "--config-file", config);
	command_add(command, vm->socket ? "--api-sock" : "--no-api");
	if (vm->socket)
		command_add(command, vm->socket);
	if (has_pci(vm))
		command_add(command, "--enable-pci");
	command_add_all(command, &vm->firecracker.common.extra_args);
}

static void firecracker_lower(struct arena *arena, const struct guest *guest, struct lowered *out)
{
	struct firecracker firecracker = {.arena = arena, .guest = guest, .vm = guest->vm};
	const struct node *config = config_make(&firecracker);
	out->config.name = arena_printf(arena, "%s-firecracker.json", guest->vm->host_name);
	struct writer writer = {.firecracker = &firecracker, .out = &out->config.pieces};
	node_put(&writer, config, 0);
	buf_puts(&writer.text, "\n");
	writer_flush(&writer);

	out->command.arena = arena;
	lower_command(arena, guest->vm, &out->command, out->config.name);
	lower_control(arena, guest->vm, config, out);
	out->accel = ACCEL_KVM;
}

static void firecracker_modules(struct arena *arena, const struct guest *guest, struct module_wishes *wishes)
{
	vec_push(arena, wishes, (struct module_wish){has_pci(guest->vm) ? "virtio_pci" : "virtio_mmio", "the bus of Firecracker's devices", false});
	static const char why[] = "microvm-shutdown presses Ctrl-Alt-Del";
	vec_push(arena, wishes, (struct module_wish){"i8042", why, true});
	vec_push(arena, wishes, (struct module_wish){"atkbd", why, true});
}

#define wrong(diag, where, ...) diag_error((diag), STATUS_DESCRIPTION, (where), "not-supported", __VA_ARGS__)

/* Firecracker itself takes any key at the top, and ignores it. */
static void check_extra_config(struct diag *diag, const struct node *extra)
{
	static const char *const keys[] = {
		"balloon", "boot-source", "cpu-config", "drives",	   "entropy", "logger", "machine-config", "memory-hotplug",
		"metrics", "mmds-config", "network-interfaces", "pmem", "vsock",
	};
	if (extra->kind != NODE_MAP)
		diag_error(diag, STATUS_DESCRIPTION, &extra->pos, "wrong-type", "firecracker.extraConfig: expected a map");
	for (size_t i = 0; i < extra->entries.n; i++) {
		const char *key = extra->entries.v[i].key;
		bool known = false;
		for (size_t k = 0; k < countof(keys); k++)
			known |= strcmp(key, keys[k]) == 0;
		const char *near = known ? NULL : suggest(key, keys, countof(keys));
		if (!known)
			diag_error(diag, STATUS_DESCRIPTION, &extra->entries.v[i].key_pos, "unknown-option", "firecracker.extraConfig: unknown key \"%.80s\"%s%s%s", key,
				   near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	}
}

static void check_hotplug(struct diag *diag, const struct vm *vm)
{
	if (vm->hotplug_mem_mib % HOTPLUG_SLOT_MIB)
		wrong(diag, vm_where(vm, &vm->hotplug_mem_mib), "hotplugMem: firecracker takes multiples of %d MiB", HOTPLUG_SLOT_MIB);
	if (!vm->hotplugged_mem_mib)
		return;
	if (vm_where(vm, &vm->hotplugged_mem_mib))
		wrong(diag, vm_where(vm, &vm->hotplugged_mem_mib), "hotpluggedMem: firecracker starts without; set 0, and ask for it by PATCH /hotplug/memory");
	else
		diag_warning(diag, vm_where(vm, &vm->hotplug_mem_mib), "ignored",
			     "hotplugMem: firecracker starts without; ask for it by PATCH /hotplug/memory once it runs");
}

static void firecracker_check(struct diag *diag, const struct vm *vm)
{
	const struct node *cpu = vm->firecracker.cpu;
	if (vm->vcpu > CPUS_MAX)
		wrong(diag, vm_where(vm, &vm->vcpu), "vcpu: firecracker takes at most %d", CPUS_MAX);
	if (vm->hugepage_mem && vm->mem_mib % 2)
		wrong(diag, vm_where(vm, &vm->mem_mib), "mem: huge pages have 2 MiB, so an odd number does not do");
	check_hotplug(diag, vm);
	if (cpu && cpu->kind != NODE_MAP)
		diag_error(diag, STATUS_DESCRIPTION, &cpu->pos, "wrong-type", "firecracker.cpu: expected a map");
	if (cpu && !since(vm, 13))
		wrong(diag, &cpu->pos, "firecracker.cpu: a template in the configuration needs version 1.13");
	if (vm->firecracker.extra_config)
		check_extra_config(diag, vm->firecracker.extra_config);
}

static const enum kernel_format kernels[] = {KERNEL_ELF, KERNEL_ARM64_IMAGE};

#define TAP_ONLY "it has taps only; give the interface type: tap"

const struct backend firecracker_backend = {
	.name = "firecracker",
	.doc = "Firecracker: KVM only; small and fast, disks and taps",
	.tested = "version 1.16 boots with KVM inside a VM, by the tests where it is installed",
	.capabilities = {
		[FEATURE_9P] = {CAN_NOT, "it shares no directories", NULL},
		[FEATURE_VIRTIOFS] = {CAN_NOT, "it shares no directories", NULL},
		[FEATURE_USER_NETWORK] = {CAN_NOT, TAP_ONLY, NULL},
		[FEATURE_FORWARD_PORTS] = {CAN_NOT, NULL, NULL},
		[FEATURE_TAP] = {.can = CAN},
		[FEATURE_VHOST_NET] = {CAN_IGNORE, NULL, NULL},
		[FEATURE_MACVTAP] = {CAN_NOT, TAP_ONLY, NULL},
		[FEATURE_BRIDGE] = {CAN_NOT, GIVE_TAP_OF_BRIDGE, NULL},
		[FEATURE_VSOCK] = {.can = CAN},
		[FEATURE_PCI_DEVICES] = {CAN_NOT, NULL, NULL},
		[FEATURE_USB_DEVICES] = {CAN_NOT, NULL, NULL},
		[FEATURE_ROOT_PORTS] = {CAN_IGNORE, NULL, NULL},
		[FEATURE_GRAPHICS] = {CAN_NOT, NULL, NULL},
		[FEATURE_CPU] = {CAN_IGNORE, "firecracker.cpu takes a CPU template", NULL},
		[FEATURE_HUGEPAGES] = {CAN_WHEN, "since version 1.7", has_huge_pages},
		[FEATURE_HOTPLUG_MEMORY] = {CAN_WHEN, "since version 1.14", has_memory_hotplug},
		[FEATURE_BALLOON] = {.can = CAN},
		[FEATURE_INITIAL_BALLOON] = {.can = CAN},
		[FEATURE_MACHINE_ID] = {CAN_IGNORE, NO_SMBIOS, NULL},
		[FEATURE_CREDENTIALS] = {CAN_NOT, NO_SMBIOS_NO_FW_CFG, NULL},
		[FEATURE_NO_SOCKET] = {.can = CAN},
		[FEATURE_USER] = {CAN_NOT, "start it as that user, or by its jailer", NULL},
		[FEATURE_READ_ONLY_VOLUMES] = {.can = CAN},
		[FEATURE_DIRECT] = {CAN_IGNORE, NULL, NULL},
		[FEATURE_SERIAL] = {CAN_IGNORE, DISKS_BY_ORDER, NULL},
		[FEATURE_QCOW2] = {CAN_NOT, "it takes raw images", NULL},
		[FEATURE_VHD] = {CAN_NOT, "it takes raw images", NULL},
		[FEATURE_EXTRA_ARGS] = {.can = CAN},
	},
	.kernels = kernels,
	.nkernels = countof(kernels),
	.parameter_bytes = 160,
	.check = firecracker_check,
	.modules = firecracker_modules,
	.lower = firecracker_lower,
};

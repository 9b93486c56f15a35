/* SPDX-License-Identifier: MIT */
/*
 * script_needs: checks what the VM needs when it starts. microvm-run and microvm-check contain the
 * same lines and functions (templates/runner/needs.sh), so that their answers agree.
 */
#include <string.h>

#include "backends/interface/choices.h"
#include "compiler/runner/script.h"
#include "compiler/runner/script_text.h"
#include "compiler/storage/storage.h"
#include "compiler/storage/volume.h"

/* The lines written so far. */
struct lines {
	struct arena *arena;
	struct buf text;
};

static void need_program(struct lines *lines, const struct plan *plan)
{
	buf_puts(&lines->text, "need_program ");
	script_put_pieces(&lines->text, &plan->lowered.command.arguments.v[0].pieces);
	buf_puts(&lines->text, "\n");
}

static void need_linker(struct lines *lines, const struct plan *plan)
{
	if (storage_disk_on_host(plan->vm))
		buf_puts(&lines->text, "need_linker\n");
}

static void need_quotable_runner(struct lines *lines, const struct plan *plan)
{
	if (plan->lowered.forbidden_characters)
		buf_printf(&lines->text, "need_runner_without %s\n",
			script_quoted(lines->arena, plan->lowered.forbidden_characters));
}

static void need_file(struct lines *lines, const char *what, const char *path)
{
	buf_printf(&lines->text, "need_file '%s' %s\n", what, script_quoted(lines->arena, path));
}

static void need_files(struct lines *lines, const struct plan *plan)
{
	const struct file_ref *kernel = &plan->guest.kernel, *initrd = &plan->guest.initrd;
	if (kernel->path && !kernel->in_runner)
		need_file(lines, "the kernel", kernel->path);
	if (initrd->path && !initrd->in_runner)
		need_file(lines, "the initrd", initrd->path);
	for (size_t i = 0; i < plan->vm->credential_files.n; i++)
		need_file(lines, "the credential", plan->vm->credential_files.v[i].value);
}

/* Interfaces that are created before the VM starts. */
static void need_interfaces(struct lines *lines, const struct plan *plan)
{
	for (size_t i = 0; i < plan->guest.nnics; i++) {
		const struct interface *interface = plan->guest.nics[i].interface;
		switch (interface->type) {
		case INTERFACE_TAP:
			buf_printf(&lines->text, "need_tap %s %s\n", interface->id,
				plan->tap_multi_queue ? "several" : "one");
			break;
		case INTERFACE_MACVTAP:
			buf_printf(&lines->text, "need_interface macvtap %s\n", interface->id);
			break;
		case INTERFACE_USER:
		case INTERFACE_BRIDGE:
		case INTERFACE_REFUSED:
			break; /* the hypervisor makes them */
		}
	}
}

static bool takes_port(const struct forward_port *port)
{
	return port->from == FROM_HOST;
}

static void need_ports(struct lines *lines, const struct plan *plan)
{
	/* No program that a Mac has can try a port. */
	if (plan->guest.on_mac)
		return;
	for (size_t i = 0; i < plan->vm->forward_ports.n; i++) {
		const struct forward_port *port = &plan->vm->forward_ports.v[i];
		if (takes_port(port))
			buf_printf(&lines->text, "need_port %s %s %lld\n",
				transport_names[port->proto],
				script_quoted(lines->arena, port->host.address),
				(long long)port->host.port);
	}
}

/* Only runners that call the function contain it. */
static const char *ports_function(struct arena *arena, const struct plan *plan)
{
	for (size_t i = 0; i < plan->vm->forward_ports.n && !plan->guest.on_mac; i++)
		if (takes_port(&plan->vm->forward_ports.v[i]))
			return script_part(arena, "ports");
	return "";
}

static void need_huge_pages(struct lines *lines, const struct plan *plan)
{
	const struct backend *backend = plan->backend;
	if (plan->vm->hugepage_mem && backend->hugetlb)
		buf_printf(&lines->text, "need_huge_pages %llu %s%s%s\n",
			(unsigned long long)plan->vm->mem_mib, backend->hugetlb,
			backend->hugetlbfs ? " " : "",
			backend->hugetlbfs ? backend->hugetlbfs : "");
}

static void need_volumes(struct lines *lines, const struct plan *plan)
{
	for (size_t i = 0; i < plan->vm->volumes.n; i++) {
		const struct volume *volume = &plan->vm->volumes.v[i];
		const char *image = script_quoted(lines->arena, volume->image);
		buf_printf(&lines->text, "need_volume %s %s %s\n", image,
			volume->read_only ? "true" : "false",
			volume->auto_create ? "true" : "false");
		buf_printf(&lines->text, "need_free %s %s\n", image, volume_use(volume));
		if (volume->read_only && volume->mount_point && volume->image_type == IMAGE_RAW &&
			!plan->guest.on_mac)
			buf_printf(&lines->text, "need_clean %s\n", image);
		if (volume->direct && plan->backend->capabilities[FEATURE_DIRECT].can != CAN_IGNORE)
			buf_printf(&lines->text, "need_direct %s\n", image);
	}
}

/* For the message that the page cache is used nevertheless. */
static void need_direct_store(struct lines *lines, const struct plan *plan)
{
	const struct guest *guest = &plan->guest;
	if (plan->vm->store_disk.direct && storage_disk_in_runner(plan->vm))
		buf_printf(&lines->text, "need_direct \"$runner\"/%s\n",
			script_quoted(lines->arena, guest->disks[0].file.path));
}

static void need_volume_makers(struct lines *lines, const struct plan *plan)
{
	for (size_t i = 0; i < plan->created.n; i++) {
		const struct created_volume *created = &plan->created.v[i];
		const struct volume *volume = created->volume;
		const char *image = script_quoted(lines->arena, volume->image);
		buf_printf(&lines->text, "need_size %s %llu %s\n", image,
			(unsigned long long)volume->size_mib, volume->fs_type);
		if (created->mkfs.n)
			buf_printf(&lines->text, "need_mkfs %s %s %s\n", image, created->mkfs.v[0],
				file_system_created(volume->fs_type)->package);
	}
}

/* Paths at which sockets will be created. */
static void need_sockets(struct lines *lines, const struct plan *plan)
{
	const struct lowered *lowered = &plan->lowered;
	for (size_t i = 0; i < lowered->sockets.n; i++)
		buf_printf(&lines->text, "need_socket %s\n",
			script_quoted(lines->arena, lowered->sockets.v[i]));
	if (lowered->companion.socket)
		buf_printf(&lines->text, "need_socket %s\n",
			script_quoted(lines->arena, lowered->companion.socket));
}

const char *script_needs(struct arena *arena, const struct plan *plan)
{
	struct lines lines = {.arena = arena};
	need_program(&lines, plan);
	need_linker(&lines, plan);
	need_quotable_runner(&lines, plan);
	need_files(&lines, plan);
	need_huge_pages(&lines, plan);
	need_interfaces(&lines, plan);
	need_ports(&lines, plan);
	need_sockets(&lines, plan);
	buf_puts(&lines.text, script_share_needs(arena, plan));
	need_volumes(&lines, plan);
	need_direct_store(&lines, plan);
	need_volume_makers(&lines, plan);
	const char *text = arena_strdup(arena, buf_text(&lines.text));
	buf_free(&lines.text);
	return text;
}

const char *script_functions(struct arena *arena, const struct plan *plan)
{
	const char *const parts[] = {script_apart(arena, plan), script_protected(arena, plan),
		ports_function(arena, plan)};
	const char *text = script_part(arena, "needs");
	for (size_t i = 0; i < countof(parts); i++)
		if (*parts[i])
			text = arena_printf(arena, "%s\n%s", text, parts[i]);
	return text;
}

/* ---- what only microvm-check looks at ---- */

static void need_texts(struct lines *lines, const struct plan *plan)
{
	const struct vm *vm = plan->vm;
	if (*vm->pre_start)
		buf_printf(&lines->text, "need_script preStart %s\n",
			script_quoted(lines->arena, vm->pre_start));
	if (vm->extra_args_script)
		buf_printf(&lines->text, "need_script extraArgsScript %s\n",
			script_quoted(lines->arena, vm->extra_args_script));
	if (vm->host_path.n)
		buf_printf(
			&lines->text, "need_path %s\n", script_words(lines->arena, &vm->host_path));
}

static void need_names(struct lines *lines, const struct lowered *lowered)
{
	for (size_t i = 0; i < lowered->listed.n; i++) {
		const struct listed_name *listed = &lowered->listed.v[i];
		buf_printf(&lines->text, "need_listed %s %s ", listed->option,
			script_quoted(lines->arena, listed->name));
		script_put_pieces(&lines->text, &lowered->command.arguments.v[0].pieces);
		buf_printf(&lines->text, " %s\n", listed->argument);
	}
}

static void need_host_devices(struct lines *lines, const struct plan *plan)
{
	for (size_t i = 0; i < plan->guest.nnics; i++)
		if (plan->guest.nics[i].interface->type == INTERFACE_BRIDGE)
			buf_printf(&lines->text, "need_bridge %s %s\n",
				script_quoted(lines->arena, plan->guest.nics[i].interface->bridge),
				script_quoted(lines->arena, plan->guest.nics[i].interface->id));
	for (size_t i = 0; i < plan->vm->devices.n; i++)
		if (plan->vm->devices.v[i].bus == BUS_PCI)
			buf_printf(&lines->text, "need_pci %s\n",
				script_quoted(lines->arena, plan->vm->devices.v[i].path));
}

static const char *script_only_needs(struct arena *arena, const struct plan *plan)
{
	struct lines lines = {.arena = arena};
	need_texts(&lines, plan);
	need_names(&lines, &plan->lowered);
	need_host_devices(&lines, plan);
	const char *text = arena_strdup(arena, buf_text(&lines.text));
	buf_free(&lines.text);
	return text;
}

const char *script_aio(const struct plan *plan)
{
	const struct lowered *lowered = &plan->lowered;
	return command_has(&lowered->command, PIECE_AIO) ||
			pieces_have(&lowered->config.pieces, PIECE_ENGINE_JSON)
		? "\"$runner/libexec/mvm-host\" aio"
		: NULL;
}

/* A hypervisor reports its state only on the socket that the description names. */
static void need_stopped(struct lines *lines, const struct plan *plan, const char *socket)
{
	const struct strings *state = &plan->lowered.state;
	const bool named = plan->vm->socket && strcmp(plan->vm->socket, socket) == 0;
	buf_printf(&lines->text, "need_stopped %s%s%s\n", script_quoted(lines->arena, socket),
		named && state->n ? " " : "", named ? script_words(lines->arena, state) : "");
}

/*
 * Checks the hypervisor's sockets that a crash leaves behind, and the one that the description
 * names.
 */
const char *script_need_stopped(struct arena *arena, const struct plan *plan)
{
	const char *socket = plan->vm->socket;
	const struct strings *sockets = &plan->lowered.sockets;
	struct lines lines = {.arena = arena};
	bool named = false;
	for (size_t i = 0; i < sockets->n; i++) {
		need_stopped(&lines, plan, sockets->v[i]);
		named = named || (socket && strcmp(socket, sockets->v[i]) == 0);
	}
	if (socket && !named)
		need_stopped(&lines, plan, socket);
	const char *text =
		arena_strndup(arena, buf_text(&lines.text), lines.text.n ? lines.text.n - 1 : 0);
	buf_free(&lines.text);
	return text;
}

const char *script_check(struct arena *arena, const struct plan *plan)
{
	static const char *const accels[] = {
		[ACCEL_KVM] = "MICROVM_ACCEL=kvm need_accel",
		[ACCEL_PROBE] = "need_accel",
		[ACCEL_TCG] = "",
		[ACCEL_MACOS] = "",
	};
	const char *aio = script_aio(plan), *only = script_only_needs(arena, plan);
	const struct hole holes[] = {
		{"name", script_quoted(arena, plan->vm->host_name)},
		{"only_check", *only ? script_part(arena, "only-check") : ""},
		{"only_needs", only},
		{"place", script_part(arena, "place")},
		{"state", script_part(arena, "state")},
		{"functions", script_functions(arena, plan)},
		{"stopped", script_need_stopped(arena, plan)},
		{"needs", script_needs(arena, plan)},
		{"served", script_share_sockets(arena, plan, "need_served")},
		{"accel", accels[plan->lowered.accel]},
		{"aio", aio ? arena_printf(arena, "%s >/dev/null", aio) : ""},
		{NULL, NULL},
	};
	return script_fill(arena, plan, "microvm-check", holes);
}

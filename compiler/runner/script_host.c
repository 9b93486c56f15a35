/* SPDX-License-Identifier: MIT */
/*
 * script_host: scripts that root runs on the host before and after the VM, for its interfaces, PCI
 * devices and registration with systemd-machined.
 */
#include <stdio.h>
#include <string.h>

#include "compiler/runner/script.h"
#include "compiler/runner/script_text.h"

/* The interfaces that are taps on the host. */
static bool is_tap(enum interface_type type)
{
	return type == INTERFACE_TAP || type == INTERFACE_BRIDGE;
}

static bool is_macvtap(enum interface_type type)
{
	return type == INTERFACE_MACVTAP;
}

/* Returns a line of a script for each such interface, or NULL if there are none. */
static const char *interface_lines(struct arena *arena, const struct plan *plan,
	bool (*is_meant)(enum interface_type type),
	void (*put_line)(struct arena *arena, struct buf *out, const struct interface *interface))
{
	BUF_CLEANUP struct buf out = {0};
	for (size_t i = 0; i < plan->vm->interfaces.n; i++)
		if (is_meant(plan->vm->interfaces.v[i].type))
			put_line(arena, &out, &plan->vm->interfaces.v[i]);
	return out.n ? arena_strndup(arena, buf_text(&out), out.n - 1) : NULL;
}

static void put_tap(struct arena *arena, struct buf *out, const struct interface *interface)
{
	/* QEMU opens that of a bridge interface for one queue. */
	buf_printf(out, "tap %s%s%s%s\n", script_quoted(arena, interface->id),
		interface->bridge ? " " : "",
		interface->bridge ? script_quoted(arena, interface->bridge) : "",
		interface->type == INTERFACE_BRIDGE ? " one" : "");
}

static void put_macvtap(struct arena *arena, struct buf *out, const struct interface *interface)
{
	buf_printf(out, "macvtap %s %s %s %s\n", script_quoted(arena, interface->id),
		script_quoted(arena, interface->mac), script_quoted(arena, interface->macvtap.link),
		script_quoted(arena, macvtap_mode_names[interface->macvtap.mode]));
}

static void put_removal(struct arena *arena, struct buf *out, const struct interface *interface)
{
	buf_printf(out, "remove %s\n", script_quoted(arena, interface->id));
}

bool script_is_addition(const char *name)
{
	static const char *const additions[] = {"tap-up.after", "tap-down.after",
		"macvtap-up.after", "macvtap-down.after", "pci-setup.after",
		"virtiofsd-run.before"};
	for (size_t i = 0; i < countof(additions); i++)
		if (strcmp(name, additions[i]) == 0)
			return true;
	return false;
}

const char *script_addition(const struct plan *plan, const char *name)
{
	const struct pairs *custom = &plan->vm->bin_scripts;
	for (size_t i = 0; i < custom->n; i++)
		if (strcmp(custom->v[i].key, name) == 0)
			return custom->v[i].value;
	return NULL;
}

/* Returns the description's addition to the script `name`, after a newline, or "". */
static const char *addition_to(struct arena *arena, const struct plan *plan, const char *name)
{
	const char *text = script_addition(plan, arena_printf(arena, "%s.after", name));
	return text ? arena_printf(arena, "\n%s", text) : "";
}

/* Makes the script `name` with `lines` in the placeholder `hole`; returns NULL without lines. */
static const char *host_script(struct arena *arena, const struct plan *plan, const char *name,
	const char *hole, const char *lines)
{
	const struct hole holes[] = {
		{hole, lines},
		{"after", addition_to(arena, plan, name)},
		{"holders", script_part(arena, "holders")},
		{"user", script_quoted(arena, plan->vm->host_user)},
		{"group", script_quoted(arena, plan->vm->host_group ? plan->vm->host_group : "")},
		{"multi_queue", plan->tap_multi_queue ? "0x0100" : "0"},
		{NULL, NULL},
	};
	return lines ? script_fill(arena, plan, name, holes) : NULL;
}

const char *script_tap_up(struct arena *arena, const struct plan *plan)
{
	return host_script(
		arena, plan, "tap-up", "interfaces", interface_lines(arena, plan, is_tap, put_tap));
}

const char *script_tap_down(struct arena *arena, const struct plan *plan)
{
	return host_script(arena, plan, "tap-down", "interfaces",
		interface_lines(arena, plan, is_tap, put_removal));
}

const char *script_macvtap_up(struct arena *arena, const struct plan *plan)
{
	return host_script(arena, plan, "macvtap-up", "interfaces",
		interface_lines(arena, plan, is_macvtap, put_macvtap));
}

const char *script_macvtap_down(struct arena *arena, const struct plan *plan)
{
	return host_script(arena, plan, "macvtap-down", "interfaces",
		interface_lines(arena, plan, is_macvtap, put_removal));
}

const char *script_pci_setup(struct arena *arena, const struct plan *plan)
{
	BUF_CLEANUP struct buf out = {0};
	for (size_t i = 0; i < plan->vm->devices.n; i++)
		if (plan->vm->devices.v[i].bus == BUS_PCI)
			buf_printf(&out, "pci %s\n",
				script_quoted(arena, plan->vm->devices.v[i].path));
	return host_script(arena, plan, "pci-setup", "devices",
		out.n ? arena_strndup(arena, buf_text(&out), out.n - 1) : NULL);
}

/* Writes the bytes of a UUID as busctl expects them: in decimal. */
static void put_id(struct buf *out, const char *uuid)
{
	for (const char *digits = uuid; digits && *digits; digits += *digits == '-' ? 1 : 2) {
		unsigned byte;
		if (*digits != '-' && sscanf(digits, "%2x", &byte) == 1)
			buf_printf(out, "%s%u", out->n ? " " : "", byte);
	}
}

const char *script_register(struct arena *arena, const struct plan *plan)
{
	const struct vm *vm = plan->vm;
	BUF_CLEANUP struct buf id = {0}, taps = {0};
	put_id(&id, vm->machine_id);
	for (size_t i = 0; i < vm->interfaces.n; i++)
		if (vm->interfaces.v[i].type == INTERFACE_TAP)
			buf_printf(&taps, "%s%s", taps.n ? " " : "",
				script_quoted(arena, vm->interfaces.v[i].id));
	/* The vsocks of Cloud Hypervisor and Firecracker are not in the host's kernel. */
	bool has_cid = vm->vsock.cid >= 0 && !plan->backend->vsock_socket;
	const struct hole holes[] = {
		{"name", script_quoted(arena, vm->host_name)},
		{"id", buf_text(&id)},
		{"taps", buf_text(&taps)},
		{"cid", has_cid ? arena_printf(arena, "%lld", (long long)vm->vsock.cid) : "''"},
		{NULL, NULL},
	};
	return vm->register_with_machined ? script_fill(arena, plan, "microvm-register", holes)
					  : NULL;
}

const char *script_unregister(struct arena *arena, const struct plan *plan)
{
	const struct hole holes[] = {
		{"name", script_quoted(arena, plan->vm->host_name)}, {NULL, NULL}};
	return plan->vm->register_with_machined
		? script_fill(arena, plan, "microvm-unregister", holes)
		: NULL;
}

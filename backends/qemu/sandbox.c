/* SPDX-License-Identifier: MIT */
/*
 * sandbox: what QEMU may not do once it runs. Whoever reaches its control socket could have it
 * start programs ("migrate exec:"), were that not denied; its filter ends QEMU when it tries all
 * the same (system/qemu-seccomp.c). All is denied but what the VM itself needs.
 */
#include <string.h>

#include "backends/qemu/qemu.h"

/*
 * Arguments of one's own that have QEMU start a program, or call what counts as privileged: to
 * become another user, and setsid, which the user network calls in each process that it starts
 * (libslirp, src/misc.c: fork_exec_child_setup).
 */
static const struct {
	const char *option;
	bool starts, privileged;
} needs[] = {
	{"daemonize", true, true}, /* it forks, and begins a session */
	{"display", true, false},
	{"incoming", true, false}, /* exec:… */
	/* scripts of a tap, helpers, guestfwd and smb of the user network */
	{"net", true, true},
	{"netdev", true, true},
	{"nic", true, true},
	{"runas", false, true},
	{"run-with", false, true},
};

/* An option without its dashes, of which QEMU takes one or two; NULL: it is none. */
static const char *option_name(const char *argument)
{
	return argument[0] != '-' ? NULL : argument + (argument[1] == '-' ? 2 : 1);
}

static bool has_option(const struct guest *guest, const char *option)
{
	const struct strings *arguments = &guest->options->extra_args;
	for (size_t i = 0; i < arguments->n; i++) {
		const char *name = option_name(arguments->v[i]);
		if (name && strcmp(name, option) == 0)
			return true;
	}
	return false;
}

/* The setuid helper has to gain privileges, which a process with a filter cannot. */
static bool has_bridge(const struct guest *guest)
{
	for (size_t i = 0; i < guest->nnics; i++)
		if (guest->nics[i].interface->type == INTERFACE_BRIDGE)
			return true;
	return false;
}

/* That starts nc for each connection. */
static bool forwards_from_guest(const struct guest *guest)
{
	for (size_t i = 0; i < guest->nforward_ports; i++)
		if (guest->forward_ports[i].from == FROM_GUEST)
			return true;
	return false;
}

/* GTK may start a session bus, and Vulkan is served by a process of virglrenderer's. */
static bool starts_programs(const struct guest *guest)
{
	for (size_t i = 0; i < countof(needs); i++)
		if (needs[i].starts && has_option(guest, needs[i].option))
			return true;
	return forwards_from_guest(guest) ||
		(guest->graphics.enable &&
			(guest->graphics.vulkan != NO_VULKAN ||
				guest->graphics.backend != DISPLAY_HEADLESS));
}

/* QEMU puts the filter up before it becomes the user. */
static bool is_privileged(const struct guest *guest)
{
	for (size_t i = 0; i < countof(needs); i++)
		if (needs[i].privileged && has_option(guest, needs[i].option))
			return true;
	return guest->user != NULL || forwards_from_guest(guest);
}

/* Two filters would both hold, so one among the extra arguments is the only one. */
void qemu_add_sandbox(const struct qemu *qemu)
{
	const struct guest *guest = qemu->guest;
	if (has_bridge(guest) || has_option(guest, "sandbox"))
		return;
	option_printf(qemu->command, "-sandbox",
		"on,obsolete=deny,elevateprivileges=%s,spawn=%s,resourcecontrol=deny",
		is_privileged(guest) ? "allow" : "deny", starts_programs(guest) ? "allow" : "deny");
}

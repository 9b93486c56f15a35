/* SPDX-License-Identifier: MIT */
/*
 * sandbox: restricts QEMU while it runs. A process with access to its control socket could
 * otherwise make it start programs ("migrate exec:"). A denied system call ends QEMU
 * (system/qemu-seccomp.c). Everything is denied that the VM itself does not need.
 */
#include <string.h>

#include "backends/qemu/qemu.h"

/*
 * extraArgs with which QEMU starts a program or makes a call that counts as privileged: changing
 * the user, or setsid, which the user network calls in each process that it starts (libslirp,
 * src/misc.c: fork_exec_child_setup).
 */
static const struct {
	const char *option;
	bool starts, privileged;
} needs[] = {
	{"daemonize", true, true}, /* forks and starts a session */
	{"display", true, false},
	{"incoming", true, false}, /* exec:… */
	/* tap scripts and helpers; guestfwd and smb of the user network */
	{"net", true, true},
	{"netdev", true, true},
	{"nic", true, true},
	{"runas", false, true},
	{"run-with", false, true},
};

/* The option without its one or two dashes; NULL if the argument is not an option. */
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

/*
 * The setuid bridge helper must gain privileges, which is impossible in a process with a filter. It
 * is not needed where root has made a tap for the interface.
 */
static bool has_bridge(const struct guest *guest)
{
	for (size_t i = 0; i < guest->nnics; i++)
		if (guest->nics[i].interface->type == INTERFACE_BRIDGE)
			return true;
	return false;
}

/* Such a port starts nc for each connection. */
static bool forwards_from_guest(const struct guest *guest)
{
	for (size_t i = 0; i < guest->nforward_ports; i++)
		if (guest->forward_ports[i].from == FROM_GUEST)
			return true;
	return false;
}

/* GTK may start a session bus, and virglrenderer serves Vulkan in a separate process. */
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

/* QEMU installs the filter before it changes to the user. */
static bool is_privileged(const struct guest *guest)
{
	for (size_t i = 0; i < countof(needs); i++)
		if (needs[i].privileged && has_option(guest, needs[i].option))
			return true;
	return guest->user != NULL || forwards_from_guest(guest);
}

/* Two filters would both apply, so one among extraArgs replaces ours. */
void qemu_add_sandbox(const struct qemu *qemu)
{
	const struct guest *guest = qemu->guest;
	const enum when when = has_bridge(guest) ? WHEN_UNAIDED : WHEN_ALWAYS;
	/* Only Linux has it. */
	if (guest->on_mac || !qemu_options(guest)->sandbox || has_option(guest, "sandbox"))
		return;
	command_add_when(qemu->command, when, "-sandbox");
	command_add_when(qemu->command, when,
		arena_printf(qemu->arena,
			"on,obsolete=deny,elevateprivileges=%s,spawn=%s,resourcecontrol=deny",
			is_privileged(guest) ? "allow" : "deny",
			starts_programs(guest) ? "allow" : "deny"));
}

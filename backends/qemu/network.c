/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "backends/qemu/qemu.h"

static const char *forwardings(const struct qemu *qemu)
{
	const char *text = "";
	for (size_t i = 0; i < qemu->guest->nforward_ports; i++) {
		const struct forward_port *port = &qemu->guest->forward_ports[i];
		if (port->from == FROM_HOST)
			text = arena_printf(qemu->arena, "%s,hostfwd=%s:%s:%lld-%s:%lld", text,
				transport_names[port->proto], port->host.address,
				(long long)port->host.port, port->guest.address,
				(long long)port->guest.port);
		else
			text = arena_printf(qemu->arena, "%s,guestfwd=%s:%s:%lld-cmd:nc %s %lld",
				text, transport_names[port->proto], port->guest.address,
				(long long)port->guest.port, port->host.address,
				(long long)port->host.port);
	}
	return text;
}

static void add_tap_source(
	const struct qemu *qemu, struct argument *argument, const struct nic *nic)
{
	const struct interface *interface = nic->interface;
	if (interface->type == INTERFACE_MACVTAP) {
		const char *fds = "";
		for (unsigned i = 0; i < nic->queues; i++)
			fds = arena_printf(qemu->arena, "%s%s%d", fds, i ? ":" : "", nic->fds[i]);
		argument_text(qemu->command, argument,
			arena_printf(qemu->arena, ",%s=%s", nic->queues == 1 ? "fd" : "fds", fds));
		return;
	}
	argument_text(qemu->command, argument,
		arena_printf(qemu->arena, ",ifname=%s,script=no,downscript=no", interface->id));
	if (interface->tap.vhost)
		argument_text(qemu->command, argument, ",vhost=on");
	if (nic->queues > 1)
		argument_text(qemu->command, argument,
			arena_printf(qemu->arena, ",queues=%u", nic->queues));
}

static void add_netdev(const struct qemu *qemu, const struct nic *nic, bool forwards)
{
	const struct interface *interface = nic->interface;
	/* To QEMU, a macvtap is a tap that is already open. */
	const enum interface_type type =
		interface->type == INTERFACE_MACVTAP ? INTERFACE_TAP : interface->type;
	command_add(qemu->command, "-netdev");
	struct argument *argument = command_begin(qemu->command);
	if (interface->type != INTERFACE_BRIDGE)
		argument_text(qemu->command, argument,
			arena_printf(qemu->arena, "%s,id=%s", interface_type_names[type],
				interface->id));
	switch (interface->type) {
	case INTERFACE_TAP:
	case INTERFACE_MACVTAP:
		add_tap_source(qemu, argument, nic);
		break;
	case INTERFACE_BRIDGE:
		argument_bridge(qemu->command, argument, interface->id, interface->bridge);
		break;
	case INTERFACE_USER:
		if (forwards)
			argument_text(qemu->command, argument, forwardings(qemu));
		break;
	case INTERFACE_REFUSED: /* such a description is not lowered */
		break;
	}
}

void qemu_add_interfaces(const struct qemu *qemu)
{
	/* only one interface forwards ports, because a port of the host can be bound only once */
	bool forwarded = false;
	for (size_t i = 0; i < qemu->guest->nnics; i++) {
		const struct nic *nic = &qemu->guest->nics[i];
		bool user = nic->interface->type == INTERFACE_USER;
		add_netdev(qemu, nic, user && !forwarded);
		forwarded |= user;
		/*
		 * With more queues than the network backend serves, packets would get lost: user
		 * and bridge have one queue.
		 */
		const char *queues = nic->queues > 1 && qemu->pci
			? arena_printf(qemu->arena, ",mq=on,vectors=%u", 2 * nic->queues + 2)
			: "";
		option_printf(qemu->command, "-device", "virtio-net-%s,netdev=%s,mac=%s%s%s",
			qemu_suffix(qemu), nic->interface->id, nic->interface->mac,
			qemu->pci ? ",romfile=" : "", queues);
	}
}

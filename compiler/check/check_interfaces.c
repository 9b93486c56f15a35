/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <string.h>

#include "base/shape.h"
#include "compiler/check/check.h"

static void check_interface_type(
	const struct checker *checker, const struct interface *interface, size_t i)
{
	const bool bridge = interface->type == INTERFACE_BRIDGE,
		   macvtap = interface->type == INTERFACE_MACVTAP;
	if (bridge && !interface->bridge)
		check_error(checker, &interface->where, "missing-option",
			"interfaces[%zu].bridge is missing; name the bridge to join", i);
	else if (interface->bridge && !bridge && interface->type != INTERFACE_TAP)
		check_error(checker, check_position(checker, &interface->bridge, &interface->where),
			"bad-interface",
			"interfaces[%zu].bridge: only interfaces of type bridge or tap can join a "
			"bridge",
			i);
	if (macvtap && (!interface->macvtap.link || interface->macvtap.mode == MACVTAP_NO_MODE))
		check_error(checker, &interface->where, "missing-option",
			"interfaces[%zu]: type macvtap requires macvtap.link and macvtap.mode", i);
	if (interface->tap.vhost && interface->type != INTERFACE_TAP)
		check_error(checker,
			check_position(checker, &interface->tap.vhost, &interface->where),
			"bad-interface", "interfaces[%zu].tap.vhost requires type tap", i);
}

/*
 * Every host has the interface "lo"; the settings of all interfaces, and of new ones, are at "all"
 * and "default" (Documentation/networking/ip-sysctl.rst).
 */
static void check_kernel_name(
	const struct checker *checker, const struct interface *interface, size_t i)
{
	static const char *const taken[] = {"lo", "all", "default"};
	if (interface->type == INTERFACE_USER || !interface->id ||
		!check_accepted(checker, &interface->type))
		return;
	for (size_t k = 0; k < countof(taken); k++)
		if (strcmp(interface->id, taken[k]) == 0)
			check_error(checker,
				check_position(checker, &interface->id, &interface->where),
				"reserved-name",
				"interfaces[%zu].id: \"%s\" is a name of the host's kernel; choose "
				"another name",
				i, taken[k]);
}

void check_interfaces(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	struct claims ids = {0}, macs = {0}, user_macs = {0};
	for (size_t i = 0; i < vm->interfaces.n; i++) {
		const struct interface *interface = &vm->interfaces.v[i];
		if (check_accepted(checker, &interface->type))
			check_interface_type(checker, interface, i);
		check_kernel_name(checker, interface, i);
		check_claim(checker, &ids, interface->id, &interface->id, &interface->where);
		/*
		 * An interface of type user is alone in its network, where the address of another
		 * interface does no harm. An example of microvm.nix has one.
		 */
		check_claim(checker, interface->type == INTERFACE_USER ? &user_macs : &macs,
			lower_case(checker->arena, interface->mac), &interface->mac,
			&interface->where);
	}
	check_unique(checker, &ids, "interface id");
	check_unique(checker, &macs, "MAC address");
	check_unique(checker, &user_macs, "MAC address");
}

/* An interface whose type was refused may have been meant as a user interface. */
static bool may_have_user_interface(const struct vm *vm)
{
	if (vm_refused(vm, &vm->interfaces.v))
		return true;
	for (size_t i = 0; i < vm->interfaces.n; i++)
		if (vm_refused(vm, &vm->interfaces.v[i].type) ||
			vm->interfaces.v[i].type == INTERFACE_USER)
			return true;
	return false;
}

/* With `from: guest`, QEMU runs nc for each connection to an address of the guest's network. */
static void check_from_guest(
	const struct checker *checker, const struct forward_port *port, size_t i)
{
	if (port->proto != TRANSPORT_TCP)
		check_error(checker, check_position(checker, &port->proto, &port->where),
			"bad-forwarding",
			"forwardPorts[%zu].proto: only tcp can be forwarded from the guest", i);
	if (!*port->host.address && check_accepted(checker, &port->host.address))
		check_error(checker, &port->where, "bad-forwarding",
			"forwardPorts[%zu].host.address is missing; forwarding from the guest "
			"requires it",
			i);
	if (!*port->guest.address && check_accepted(checker, &port->guest.address))
		check_error(checker, &port->where, "bad-forwarding",
			"forwardPorts[%zu].guest.address is missing; forwarding from the guest "
			"requires it",
			i);
}

/*
 * Returns the end that accepts connections: on the host, or at an address of the guest's network.
 */
static const struct endpoint *listening_end(const struct forward_port *port)
{
	return port->from == FROM_HOST ? &port->host : &port->guest;
}

/*
 * Whether two listening addresses conflict: an empty address and 0.0.0.0 stand for all addresses.
 */
static bool same_address(const char *a, const char *b)
{
	struct in_addr x = {0}, y = {0};
	return inet_pton(AF_INET, *a ? a : "0.0.0.0", &x) == 1 &&
		inet_pton(AF_INET, *b ? b : "0.0.0.0", &y) == 1 &&
		(x.s_addr == INADDR_ANY || y.s_addr == INADDR_ANY || x.s_addr == y.s_addr);
}

/* QEMU does not start if it cannot bind a port. */
static void check_port_twice(const struct checker *checker, size_t i)
{
	const struct forward_port *ports = checker->vm->forward_ports.v, *port = &ports[i];
	const struct endpoint *end = listening_end(port);
	for (size_t k = 0; k < i; k++) {
		const struct endpoint *first = listening_end(&ports[k]);
		if (ports[k].from != port->from || ports[k].proto != port->proto ||
			first->port != end->port || !same_address(first->address, end->address))
			continue;
		check_error(checker, check_position(checker, &end->port, &port->where),
			"used-twice", "forwardPorts[%zu].%s: port %lld (%s) is used twice", i,
			forward_from_names[port->from], (long long)end->port,
			transport_names[port->proto]);
		diag_note(checker->diag, check_position(checker, &first->port, &ports[k].where),
			"used-twice", "first used here");
		return;
	}
}

void check_forward_ports(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	for (size_t i = 0; i < vm->forward_ports.n; i++) {
		const struct forward_port *port = &vm->forward_ports.v[i];
		if (check_accepted(checker, &port->from) && port->from == FROM_GUEST)
			check_from_guest(checker, port, i);
		if (!vm_refused(vm, NULL)) /* it compares several elements */
			check_port_twice(checker, i);
	}
	if (vm->forward_ports.n && !may_have_user_interface(vm))
		check_error(checker, vm_where(vm, &vm->forward_ports.v), "bad-forwarding",
			"forwardPorts requires a user interface, such as \"interfaces: [{type: "
			"user, id: eth0}]\"");
}

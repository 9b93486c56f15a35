/* SPDX-License-Identifier: MIT */
#include "compiler/storage/guest.h"

#include "compiler/storage/storage.h"

/* One queue per CPU if the hypervisor and the kind of interface support it. */
static unsigned nic_queues(
	const struct backend *backend, const struct guest *guest, const struct interface *interface)
{
	const bool can = backend->multi_queue &&
		(interface->type == INTERFACE_MACVTAP || interface->type == INTERFACE_TAP) &&
		!(backend->single_queue && backend->single_queue(guest, interface));
	return can ? (unsigned)guest->vcpu : 1;
}

static const int *descriptors(struct arena *arena, unsigned n, int *next)
{
	int *fds = arena_alloc(arena, n * sizeof *fds);
	for (unsigned i = 0; i < n; i++)
		fds[i] = (*next)++;
	return fds;
}

/* All interfaces are set before the queues, because their number can depend on the others. */
static void lower_nics(struct arena *arena, const struct vm *vm, const struct backend *backend,
	struct guest *guest)
{
	struct nic *nics = arena_alloc(arena, vm->interfaces.n * sizeof *nics);
	int fd = FIRST_FREE_FD;
	for (size_t i = 0; i < vm->interfaces.n; i++)
		nics[i] = (struct nic){.interface = &vm->interfaces.v[i]};
	guest->nics = nics;
	guest->nnics = vm->interfaces.n;
	for (size_t i = 0; i < guest->nnics; i++) {
		const struct interface *interface = nics[i].interface;
		nics[i].queues = nic_queues(backend, guest, interface);
		if (interface->type == INTERFACE_MACVTAP && !backend->macvtap_names)
			nics[i].fds = descriptors(arena, nics[i].queues, &fd);
	}
}

static const struct hypervisor_options *options_of(
	const struct vm *vm, const struct backend *backend)
{
	size_t i = 0;
	while (backends[i] != backend)
		i++;
	return vm->own[i];
}

void guest_lower(struct arena *arena, const struct vm *vm, const struct storage *storage,
	const struct backend *backend, struct guest *guest)
{
	*guest = (struct guest){
		.options = options_of(vm, backend),
		.host_name = vm->host_name,
		.cpu = vm->cpu,
		.vcpu = vm->vcpu,
		.mem_mib = vm->mem_mib,
		.hugepage_mem = vm->hugepage_mem,
		.hotplug_mem_mib = vm->hotplug_mem_mib,
		.hotplugged_mem_mib = vm->hotplugged_mem_mib,
		.balloon = vm->balloon,
		.initial_balloon_mem_mib = vm->initial_balloon_mem_mib,
		.deflate_on_oom = vm->deflate_on_oom,
		.machine_id = vm->machine_id,
		.credential_files = vm->credential_files,
		.vsock = vm->vsock,
		.graphics = vm->graphics,
		.socket = vm->socket,
		.user = vm->user,
		.shares = storage->shares.v,
		.nshares = storage->shares.n,
		.devices = vm->devices.v,
		.ndevices = vm->devices.n,
		.forward_ports = vm->forward_ports.v,
		.nforward_ports = vm->forward_ports.n,
		.on_mac = backend->macos || host_is_mac(vm->host_system),
	};
	guest->disks = storage_disks(arena, vm, backend, &guest->ndisks);
	lower_nics(arena, vm, backend, guest);
}

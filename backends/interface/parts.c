/* SPDX-License-Identifier: MIT */
#include "backends/interface/parts.h"

#include <string.h>

const char *program_path(struct arena *arena, const char *package, const char *name)
{
	return package ? arena_printf(arena, "%s/bin/%s", package, name) : name;
}

const char *pci_directory(struct arena *arena, const char *address)
{
	bool domain = strchr(address, ':') != strrchr(address, ':');
	return arena_printf(arena, "/sys/bus/pci/devices/%s%s", domain ? "" : "0000:", address);
}

const char *parameters_known(struct arena *arena, const char *own, const struct guest *guest)
{
	return arena_printf(arena, "%s%s%s", own, *guest->parameters ? " " : "", guest->parameters);
}

size_t mmio_parameter_bytes(size_t devices)
{
	return devices * 48;
}

void option_parameters(
	struct command *command, const char *option, const char *own, const struct guest *guest)
{
	command_add(command, option);
	struct argument *argument = command_begin(command);
	argument_text(command, argument, parameters_known(command->arena, own, guest));
	argument_piece(command, argument, PIECE_PARAMETERS);
}

void lower_state(struct arena *arena, const struct control *control, struct lowered *out)
{
	if (control->address)
		strings_add(arena, &out->state,
			(const char *const[]){"state", control->protocol, control->address}, 3);
}

void lower_shutdown(struct arena *arena, const struct control *control, struct lowered *out)
{
	if (control->address)
		strings_add(arena, &out->shutdown,
			(const char *const[]){
				"shutdown", control->protocol, control->address, control->program},
			control->program ? 4 : 3);
}

void lower_balloon(struct arena *arena, const struct control *control, const struct vm *vm,
	struct lowered *out)
{
	if (!control->address || !vm->balloon)
		return;
	const char *memory = arena_printf(arena, "%llu", (unsigned long long)vm->mem_mib);
	strings_add(arena, &out->balloon,
		(const char *const[]){
			"balloon", control->protocol, control->address, memory, control->program},
		control->program ? 5 : 4);
}

long long notify_port(const struct vm *vm)
{
	enum { UNPRIVILEGED = 1024, ABOVE_GUESTS = 0x6d760000 };
	return vm->vsock.cid < UNPRIVILEGED ? ABOVE_GUESTS + vm->vsock.cid : vm->vsock.cid;
}

void lower_notify(struct arena *arena, const struct vm *vm, struct lowered *out)
{
	if (vm->vsock.notify && vm->vsock.cid >= 0)
		out->notify = arena_printf(arena, "vsock:%lld", notify_port(vm));
}

const char *read_only_why(const struct share *share)
{
	return share->host_store ? ", and the host's store is shared in no other way" : "";
}

bool locks_always(const struct vm *vm)
{
	(void)vm;
	return true;
}

void check_comma(struct diag *diag, const struct pos *where, const char *hypervisor,
	const char *list, size_t i, const char *path)
{
	if (path && strchr(path, ','))
		diag_error(diag, STATUS_DESCRIPTION, where, "not-supported",
			"%s[%zu]: %s cannot open \"%.80s\": its options end at a comma", list, i,
			hypervisor, path);
}

bool check_cpus(struct diag *diag, const struct vm *vm, const char *hypervisor, unsigned most)
{
	return vm->vcpu <= most ||
		diag_error(diag, STATUS_DESCRIPTION, vm_where(vm, &vm->vcpu), "too-many",
			"vcpu: %s has at most %u, not %llu", hypervisor, most,
			(unsigned long long)vm->vcpu);
}

/*
 * Returns the position of the last element of the longest list that becomes devices; NULL if all
 * are empty.
 */
static const struct pos *longest_list(const struct guest *guest)
{
	const struct vm *vm = guest->vm;
	const struct {
		size_t n;
		const struct pos *last;
	} lists[] = {
		{vm->volumes.n, vm->volumes.n ? &vm->volumes.v[vm->volumes.n - 1].where : NULL},
		{vm->interfaces.n,
			vm->interfaces.n ? &vm->interfaces.v[vm->interfaces.n - 1].where : NULL},
		{guest->nshares, guest->nshares ? &guest->shares[guest->nshares - 1]->where : NULL},
		{vm->devices.n, vm->devices.n ? &vm->devices.v[vm->devices.n - 1].where : NULL},
	};
	size_t longest = 0;
	for (size_t i = 1; i < countof(lists); i++)
		if (lists[i].n > lists[longest].n)
			longest = i;
	return lists[longest].last;
}

bool check_places(struct diag *diag, const struct guest *guest, const char *hypervisor,
	size_t devices, unsigned places)
{
	const struct vm *vm = guest->vm;
	return devices <= places ||
		diag_error(diag, STATUS_DESCRIPTION, longest_list(guest), "too-many",
			"%s has places for %u devices, and here are %zu with those that it has by "
			"itself: %zu volumes, %zu interfaces, %zu shares",
			hypervisor, places, devices, vm->volumes.n, vm->interfaces.n,
			guest->nshares);
}

size_t count_devices_of(const struct guest *guest)
{
	const struct vm *vm = guest->vm;
	return guest->ndisks + vm->interfaces.n + guest->nshares + vm->devices.n +
		(vm->vsock.cid >= 0) + vm->balloon;
}

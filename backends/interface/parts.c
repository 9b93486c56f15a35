/* SPDX-License-Identifier: MIT */
#include "backends/interface/parts.h"

#include <string.h>

#include "base/shape.h"

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

void lower_balloon(struct arena *arena, const struct control *control, const struct guest *guest,
	struct lowered *out)
{
	if (!control->address || !guest->balloon)
		return;
	const char *memory = arena_printf(arena, "%llu", (unsigned long long)guest->mem_mib);
	strings_add(arena, &out->balloon,
		(const char *const[]){
			"balloon", control->protocol, control->address, memory, control->program},
		control->program ? 5 : 4);
}

long long notify_port(const struct guest *guest)
{
	enum { UNPRIVILEGED = 1024, ABOVE_GUESTS = 0x6d760000 };
	const long long cid = guest->vsock.cid;
	return cid < UNPRIVILEGED ? ABOVE_GUESTS + cid : cid;
}

void lower_notify(struct arena *arena, const struct guest *guest, struct lowered *out)
{
	if (guest->vsock.notify && guest->vsock.cid >= 0)
		out->notify = arena_printf(arena, "vsock:%lld", notify_port(guest));
}

bool share_has_daemon(const struct share *share)
{
	return share->proto == SHARE_VIRTIOFS && !share->dax;
}

void check_read_only(struct diag *diag, const struct vm *vm, size_t i, const char *cannot)
{
	const struct share *share = &vm->shares.v[i];
	if (!share->read_only)
		return;
	if (share->host_store && is_within(share->source, vm->store_dir))
		diag_warning(diag, &share->where, "permissions-only",
			"shares[%zu]: %s, so only its permissions protect %s of the host, and the "
			"VM does not start for root or another user who may write to it",
			i, cannot, share->source);
	else
		diag_error(diag, STATUS_DESCRIPTION, &share->where, "not-supported",
			"shares[%zu]: %s%s", i, cannot,
			share->host_store ? ", and the host's store is only shared read-only; share"
					    " the store itself, or leave this share out"
					  : "");
}

bool locks_always(const struct guest *guest)
{
	(void)guest;
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
			"vcpu: %s supports at most %u, not %llu", hypervisor, most,
			(unsigned long long)vm->vcpu);
}

static size_t count_volumes(const struct guest *guest)
{
	size_t n = 0;
	for (size_t i = 0; i < guest->ndisks; i++)
		n += guest->disks[i].volume != NULL;
	return n;
}

/*
 * Returns the position of the last element of the longest list that becomes devices; NULL if all
 * are empty.
 */
static const struct pos *longest_list(const struct guest *guest)
{
	const size_t volumes = count_volumes(guest), nics = guest->nnics, shares = guest->nshares,
		     devices = guest->ndevices;
	const struct {
		size_t n;
		const struct pos *last;
	} lists[] = {
		{volumes, volumes ? &guest->disks[guest->ndisks - 1].volume->where : NULL},
		{nics, nics ? &guest->nics[nics - 1].interface->where : NULL},
		{shares, shares ? &guest->shares[shares - 1]->where : NULL},
		{devices, devices ? &guest->devices[devices - 1].where : NULL},
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
	return devices <= places ||
		diag_error(diag, STATUS_DESCRIPTION, longest_list(guest), "too-many",
			"%s supports %u devices, but there are %zu including its own: %zu volumes, "
			"%zu interfaces, %zu shares",
			hypervisor, places, devices, count_volumes(guest), guest->nnics,
			guest->nshares);
}

size_t count_devices_of(const struct guest *guest)
{
	return guest->ndisks + guest->nnics + guest->nshares + guest->ndevices +
		(guest->vsock.cid >= 0) + guest->balloon;
}

void add_gpu_process(struct arena *arena, const struct guest *guest, const char *package,
	const char *params, struct companion *companion)
{
	struct command *gpu = &companion->command;
	*companion = (struct companion){.command.arena = arena, .socket = guest->graphics.socket};
	command_add(gpu, program_path(arena, package, "crosvm"));
	command_add(gpu, "device");
	command_add(gpu, "gpu");
	option_add(gpu, "--socket", guest->graphics.socket);
	command_add(gpu, "--wayland-sock");
	argument_piece(gpu, command_begin(gpu), PIECE_WAYLAND);
	option_add(gpu, "--params", params);
}

static bool is_option(const char *argument, const char *option)
{
	const size_t length = strlen(option);
	return strncmp(argument, option, length) == 0 &&
		(argument[length] == '\0' || argument[length] == '=');
}

void check_single_options(struct diag *diag, const struct vm *vm, const struct guest *guest,
	const char *hypervisor, const struct single_option *options, size_t n)
{
	const struct strings *arguments = &guest->options->extra_args;
	for (size_t i = 0; i < arguments->n; i++)
		for (size_t k = 0; k < n; k++)
			if (options[k].given && is_option(arguments->v[i], options[k].option))
				diag_error(diag, STATUS_DESCRIPTION, vm_where(vm, arguments->v[i]),
					"bad-extra-args",
					"%s.extraArgs: %s is given twice, because mvmbuild "
					"generates it (%s), and %s accepts it only once",
					hypervisor, options[k].option, options[k].from, hypervisor);
}

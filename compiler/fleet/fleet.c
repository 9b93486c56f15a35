/* SPDX-License-Identifier: MIT */
#include "compiler/fleet/fleet.h"

#include <stdlib.h>
#include <string.h>

#include "backends/interface/positions.h"
#include "base/file.h"
#include "base/shape.h"
#include "base/string_map.h"
#include "compiler/describe/bind.h"
#include "compiler/describe/doc.h"
#include "compiler/describe/options.h"
#include "compiler/images/disk_image.h"
#include "compiler/microvm/machine.h"
#include "compiler/runner/runner.h"
#include "compiler/storage/storage.h"

/* ---- reading ---- */

static bool read_file(struct session *session, const char *path, struct node **merged)
{
	struct documents documents = {0};
	if (!doc_read(session->arena, session->diag, NULL, path, &documents))
		return false;
	for (size_t i = 0; i < documents.n; i++)
		*merged = node_merge(session->arena, *merged, documents.v[i]);
	if (!*merged)
		return diag_error(session->diag, STATUS_DESCRIPTION, NULL, "bad-host",
			"%s does not describe a host", path);
	const struct entry *toplevel = node_find(*merged, "toplevel");
	if (!toplevel || node_find(*merged, "vms"))
		return true;
	return diag_error(session->diag, STATUS_DESCRIPTION, &toplevel->key_pos, "wrong-kind",
		"this is the description of a VM, not a host file; build it with: mvmbuild %s",
		path);
}

bool fleet_is_host(const char *file)
{
	struct arena *arena = arena_new();
	struct diag *unused = diag_new(arena);
	struct bytes text;
	struct documents documents = {0};
	bool found = false;
	if (file_read(arena, unused, file, DOC_MAX_BYTES, &text))
		doc_parse(arena, unused, file, &text, &documents);
	for (size_t i = 0; i < documents.n; i++)
		found |= node_find(documents.v[i], "vms") != NULL;
	arena_free(arena);
	return found;
}

static int compare_entries(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->key, ((const struct entry *)b)->key);
}

/* Sorts the VMs by name, so that their order in the file does not change the output. */
static void sort_vms(struct arena *arena, struct node **description)
{
	struct entry *vms = node_find(*description, "vms");
	size_t count = vms && vms->value->kind == NODE_MAP ? vms->value->entries.n : 0;
	if (!count)
		return;
	struct entry *sorted = arena_alloc(arena, count * sizeof *sorted), changed = *vms;
	memcpy(sorted, vms->value->entries.v, count * sizeof *sorted);
	qsort(sorted, count, sizeof *sorted, compare_entries);
	changed.value = node_new(arena, NODE_MAP, &vms->value->pos);
	for (size_t i = 0; i < count; i++)
		node_add(arena, changed.value, &sorted[i]);
	*description = node_copy(arena, *description);
	node_set(arena, *description, &changed);
}

static const struct pos *where_of(
	const struct fleet *fleet, const void *field, const struct pos *otherwise)
{
	const struct pos *where = places_get(fleet->places, field);
	return where ? where : otherwise;
}

static bool bad(struct session *session, const struct pos *where, const char *text)
{
	return diag_error(session->diag, STATUS_DESCRIPTION, where, "bad-host", "%s", text);
}

/* A path that is not absolute, as opposed to a flake reference such as "nixpkgs#web1". */
static bool is_relative_source(const char *source)
{
	static const char *const endings[] = {".yaml", ".yml", ".json"};
	const size_t length = strlen(source);
	if (!length || strchr(".~$", *source))
		return true;
	for (size_t i = 0; i < countof(endings); i++) {
		const size_t ending = strlen(endings[i]);
		if (*source != '/' && length >= ending && !strchr(source, ':') &&
			strcmp(source + length - ending, endings[i]) == 0)
			return true;
	}
	return false;
}

/* Whether there are errors about the place of the VM's description. */
static bool is_refused(const struct fleet *fleet, const struct fleet_vm *vm)
{
	return places_refused(fleet->places, &vm->config) ||
		places_refused(fleet->places, &vm->source);
}

static bool check_vm(struct session *session, const struct fleet *fleet, const struct fleet_vm *vm)
{
	struct diag *diag = session->diag, *said = diag_new(session->arena);
	bool ok = machine_name_check(said, vm->name) ||
		bad(session, &vm->where, diag_error_text(said, 0));
	if (!vm->config && !vm->source && !is_refused(fleet, vm))
		ok = diag_error(diag, STATUS_DESCRIPTION, &vm->where, "bad-host",
			"vms.%s: config or source is missing", vm->name);
	if (vm->config && vm->source)
		ok = diag_error(diag, STATUS_DESCRIPTION, where_of(fleet, &vm->source, &vm->where),
			"bad-host", "vms.%s: config and source exclude each other", vm->name);
	if (vm->update_from && !vm->source && !places_refused(fleet->places, &vm->source))
		ok = bad(session, where_of(fleet, &vm->update_from, &vm->where),
			"updateFrom requires source; a VM with config is updated through the "
			"host's file");
	if (vm->update_from && is_relative_source(vm->update_from))
		ok = bad(session, where_of(fleet, &vm->update_from, &vm->where),
			"updateFrom must be an absolute path or a flake reference, because the "
			"host's file is not there when `microvm -u` reads it");
	if (vm->update_from && strpbrk(vm->update_from, "\t\r\n"))
		ok = bad(session, where_of(fleet, &vm->update_from, &vm->where),
			"updateFrom contains a line break or a tab");
	return ok;
}

static bool check(struct session *session, struct fleet *fleet)
{
	const bool refused = places_refused(fleet->places, &fleet->state_dir);
	bool ok = refused || is_plain_path(fleet->state_dir) ||
		bad(session, where_of(fleet, &fleet->state_dir, NULL),
			"stateDir must be an absolute path");
	if (!refused && !is_made_of(fleet->state_dir ? fleet->state_dir : "", "/._-"))
		ok = bad(session, where_of(fleet, &fleet->state_dir, NULL),
			"stateDir may contain only letters, digits, '/', '.', '_' and '-', because "
			"systemd units refer to it");
	if (!is_name(fleet->user))
		ok = bad(session, where_of(fleet, &fleet->user, NULL),
			arena_printf(session->arena, "user: \"%.80s\" is not a valid user name",
				fleet->user));
	if (!is_name(fleet->group))
		ok = bad(session, where_of(fleet, &fleet->group, NULL),
			arena_printf(session->arena, "group: \"%.80s\" is not a valid group name",
				fleet->group));
	for (size_t i = 0; i < fleet->vms.n; i++)
		ok &= check_vm(session, fleet, &fleet->vms.v[i]);
	return ok;
}

/* ---- planning ---- */

/* Returns a copy of the description, in which hostName defaults to the VM's name. */
static struct node *with_name(
	struct arena *arena, const struct node *config, const struct fleet_vm *vm)
{
	struct node *inner = node_get(config, "microvm"), *copy = node_copy(arena, config);
	if (config->kind != NODE_MAP || node_get(config, "hostName") ||
		(inner && inner->kind == NODE_MAP && node_get(inner, "hostName")))
		return copy;
	struct node *name = node_new(arena, NODE_SCALAR, &vm->where);
	/* A bad name is reported once, as the VM's. */
	name->text = machine_name_check(diag_new(arena), vm->name) ? vm->name : "vm";
	name->quoted = true;
	node_set(arena, copy, &(struct entry){"hostName", vm->where, name});
	return copy;
}

bool fleet_begin_vm(const struct session *session, const struct fleet *fleet,
	const struct fleet_vm *vm, struct arena *arena, struct diag *diag, struct session *own)
{
	*own = (struct session){.arena = arena,
		.diag = diag,
		.input = {.sets = session->input.sets, .hypervisor = session->input.hypervisor},
		.settings = session->settings,
		.shared = fleet->shared,
		.meter = session->meter};
	if (!vm->config && !vm->source) /* fleet_read has reported it */
		return false;
	if (vm->config && vm->config->kind != NODE_MAP)
		return diag_error(diag, STATUS_DESCRIPTION, &vm->config->pos, "wrong-type",
			"vms.%s.config: expected a map%s", vm->name,
			vm->config->kind == NODE_SCALAR ? "; the name of a file goes into source"
							: "");
	if (vm->config)
		own->input.given = with_name(arena, vm->config, vm);
	else {
		const char *directory = path_parent(arena, fleet->file);
		own->input.named = *where_of(fleet, &vm->source, &vm->where);
		vec_push(arena, &own->input.files,
			vm->source[0] == '/' ? vm->source
					     : path_join(arena, directory, vm->source));
	}
	return true;
}

bool fleet_plan_vm(const struct session *session, const struct fleet *fleet,
	const struct fleet_vm *vm, struct arena *arena, struct diag *diag, struct session *own)
{
	return fleet_begin_vm(session, fleet, vm, arena, diag, own) && session_plan(own);
}

/* Keeps the parts of the plan that are needed later. */
static bool keep(
	struct arena *arena, const struct session *own, struct fleet *fleet, struct fleet_vm *vm)
{
	const char *fingerprint = runner_fingerprint(own->arena, own->diag, &own->plan);
	if (!fingerprint)
		return false;
	vm->fingerprint = arena_strdup(arena, fingerprint);
	vm->toplevel = arena_strdup(arena, own->plan.system.toplevel);
	gcroots_collect(arena, &own->plan, &fleet->roots);
	inputs_collect(arena, &own->input.files, &own->plan, &fleet->inputs);
	if (storage_disk_in_runner(own->vm)) {
		vm->disk = storage_store_disk(own->vm);
		vm->disk_key = disk_image_key(arena, &own->plan);
		vm->maps_as = own->vm->store_disk.device == STORE_PMEM
			? arena_strdup(arena, own->vm->host_user)
			: NULL;
	}
	return true;
}

/* Returns an earlier VM with the same pages but another user, or NULL. */
static const struct fleet_vm *stranger_of(const struct fleet *fleet, const struct fleet_vm *vm)
{
	for (const struct fleet_vm *other = fleet->vms.v; other < vm; other++)
		if (other->maps_as && strcmp(other->maps_as, vm->maps_as) != 0 &&
			strcmp(other->disk_key, vm->disk_key) == 0)
			return other;
	return NULL;
}

/* Different users are a sign that the VMs are to be kept apart. */
static void warn_of_shared_pages(struct session *session, const struct fleet *fleet)
{
	for (size_t i = 0; i < fleet->vms.n; i++) {
		const struct fleet_vm *vm = &fleet->vms.v[i],
				      *other = vm->maps_as ? stranger_of(fleet, vm) : NULL;
		if (!other)
			continue;
		diag_warning(session->diag, &vm->where, "shared-pages",
			"the VMs %s and %s run as different users (%s and %s), but share the pages "
			"of one store disk (storeDisk.device: pmem): each can measure which pages "
			"the other uses; use device: block if they must not know that",
			other->name, vm->name, other->maps_as, vm->maps_as);
		return;
	}
}

/* Values that must be unique on a host; `taken` maps each to the VM that has it. */
struct unique {
	struct session *session;
	struct fleet *fleet;
	struct string_map taken;
};

static bool take(struct unique *unique, const char *what, const char *text, const struct pos *where,
	size_t number)
{
	const char *key = arena_printf(unique->session->arena, "%s %s", what, text);
	size_t other = string_map_find(&unique->taken, key);
	if (other == SIZE_MAX) {
		string_map_set(unique->session->arena, &unique->taken, key, number);
		return true;
	}
	if (other == number) /* vm_check has reported it */
		return true;
	return diag_error(unique->session->diag, STATUS_DESCRIPTION,
		where ? where : &unique->fleet->vms.v[number].where, "not-unique",
		"the VMs %s and %s have the same %s %s", unique->fleet->vms.v[other].name,
		unique->fleet->vms.v[number].name, what, text);
}

/* Ports of the host that a guest's ports are forwarded from. */
static bool take_ports(struct unique *unique, const struct vm *vm, size_t number)
{
	bool ok = true;
	for (size_t i = 0; i < vm->forward_ports.n; i++) {
		const struct forward_port *port = &vm->forward_ports.v[i];
		const char *address = *port->host.address ? port->host.address : "0.0.0.0";
		const struct pos *where = vm_where(vm, &port->host.port);
		if (port->from == FROM_HOST && !vm_refused(vm, &port->host.port) &&
			!vm_refused(vm, &port->host.address))
			ok &= take(unique, "forwarded port",
				arena_printf(unique->session->arena, "%s:%lld (%s)", address,
					(long long)port->host.port, transport_names[port->proto]),
				where ? where : &port->where, number);
	}
	return ok;
}

/* Images that a VM writes, outside of its state directory. */
static bool take_images(struct unique *unique, const struct vm *vm, size_t number)
{
	bool ok = true;
	for (size_t i = 0; i < vm->volumes.n; i++) {
		const struct volume *volume = &vm->volumes.v[i];
		if (volume->image && volume->image[0] == '/' && !volume->read_only &&
			!vm_refused(vm, &volume->read_only))
			ok &= take(unique, "image", volume->image, vm_where(vm, &volume->image),
				number);
	}
	return ok;
}

static bool take_all(struct unique *unique, const struct vm *vm, size_t number)
{
	bool ok = take_ports(unique, vm, number);
	ok &= take_images(unique, vm, number);
	if (vm->vsock.cid >= 0)
		ok &= take(unique, "vsock.cid",
			arena_printf(unique->session->arena, "%lld", (long long)vm->vsock.cid),
			vm_where(vm, &vm->vsock.cid), number);
	for (size_t i = 0; i < vm->interfaces.n; i++) {
		const struct interface *interface = &vm->interfaces.v[i];
		if (interface->mac)
			ok &= take(unique, "mac",
				lower_case(unique->session->arena, interface->mac),
				vm_where(vm, &interface->mac), number);
		if (interface->id &&
			(interface->type == INTERFACE_TAP || interface->type == INTERFACE_MACVTAP))
			ok &= take(unique, "interface", interface->id, vm_where(vm, &interface->id),
				number);
	}
	return ok;
}

static bool plan_one(struct unique *unique, struct fleet_vm *vm, size_t number)
{
	struct session *session = unique->session, own;
	struct arena *arena = arena_new();
	bool ok = fleet_plan_vm(session, unique->fleet, vm, arena, session->diag, &own) &&
		keep(session->arena, &own, unique->fleet, vm);
	if (own.vm)
		ok &= take_all(unique, own.vm, number);
	arena_free(arena);
	return ok;
}

static bool check_one(struct unique *unique, struct fleet_vm *vm, size_t number)
{
	struct session *session = unique->session, own;
	struct arena *arena = arena_new();
	bool ok = fleet_begin_vm(session, unique->fleet, vm, arena, session->diag, &own) &&
		session_check(&own);
	if (own.vm)
		ok &= take_all(unique, own.vm, number);
	arena_free(arena);
	return ok;
}

bool fleet_read(struct session *session, const char *file, struct fleet *fleet)
{
	struct node *description = NULL;
	*fleet = (struct fleet){
		.file = file, .places = places_new(session->arena), .shared = shared_new()};
	inputs_begin(&fleet->inputs);
	inputs_add(session->arena, &fleet->inputs, file);
	if (!read_file(session, file, &description))
		return false;
	sort_vms(session->arena, &description);
	const bool bound = options_bind(
		session->arena, session->diag, fleet->places, fleet_options, description, fleet);
	return check(session, fleet) && bound;
}

static bool each_vm(struct session *session, struct fleet *fleet,
	bool (*treat)(struct unique *unique, struct fleet_vm *vm, size_t number))
{
	struct unique unique = {.session = session, .fleet = fleet};
	bool ok = true;
	for (size_t i = 0; i < fleet->vms.n; i++) {
		struct fleet_vm *vm = &fleet->vms.v[i];
		if (!places_get(fleet->places, &vm->restart_if_changed))
			vm->restart_if_changed = vm->config;
		ok &= treat(&unique, vm, i);
	}
	return ok;
}

bool fleet_plan(struct session *session, const char *file, struct fleet *fleet)
{
	const bool read = fleet_read(session, file, fleet);
	const bool planned = each_vm(session, fleet, plan_one);
	warn_of_shared_pages(session, fleet);
	return planned && read;
}

bool fleet_check(struct session *session, const char *file, struct fleet *fleet)
{
	const bool read = fleet_read(session, file, fleet);
	return each_vm(session, fleet, check_one) && read;
}

void fleet_free(struct fleet *fleet)
{
	shared_free(fleet->shared);
}

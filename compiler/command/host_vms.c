/* SPDX-License-Identifier: MIT */
#include "compiler/command/host_vms.h"

#include "base/file.h"
#include "compiler/fleet/fleet.h"

/* A pipe can only be read once, so it is taken for a description. */
const char *host_file(const struct invocation *call)
{
	const struct strings *files = &call->session.input.files;
	if (files->n != 1 || !path_is_regular_file(files->v[0]))
		return NULL;
	return fleet_is_host(files->v[0]) ? files->v[0] : NULL;
}

const char *host_subject(const struct invocation *call)
{
	const struct strings *files = &call->session.input.files;
	if (files->n == 1 && fleet_is_built(call->arena, files->v[0]))
		return files->v[0];
	return host_file(call);
}

static bool each_declared(
	struct invocation *call, const char *file, host_visit *visit, void *context)
{
	struct fleet *fleet = arena_alloc(call->arena, sizeof *fleet);
	bool ok = fleet_read(&call->session, file, fleet);
	for (size_t i = 0; i < fleet->vms.n; i++) {
		const struct fleet_vm *vm = &fleet->vms.v[i];
		struct session own;
		struct arena *arena = arena_new();
		ok &= fleet_begin_vm(&call->session, fleet, vm, arena, call->diag, &own) &&
			visit(context, vm->name, &own);
		arena_free(arena);
	}
	fleet_free(fleet);
	return ok;
}

static bool each_built(
	struct invocation *call, const char *output, host_visit *visit, void *context)
{
	struct strings names;
	bool ok = fleet_built_names(&call->session, output, &names);
	for (size_t i = 0; ok && i < names.n; i++) {
		struct arena *arena = arena_new();
		struct session own = call->session;
		own.arena = arena;
		own.input.files = (struct strings){0};
		vec_push(arena, &own.input.files,
			arena_printf(arena, "%s/runners/%s", output, names.v[i]));
		ok = visit(context, names.v[i], &own);
		arena_free(arena);
	}
	return ok;
}

bool host_each_vm(struct invocation *call, const char *host, host_visit *visit, void *context)
{
	return (path_is_directory(host) ? each_built : each_declared)(call, host, visit, context);
}

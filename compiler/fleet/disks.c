/* SPDX-License-Identifier: MIT */
/*
 * disks: disks with many store paths missing from the cache are built one after the other, each by
 * all threads, so that later ones find what earlier ones packed. The other disks only need blocks
 * placed and tables written, which takes one thread each.
 */
#include "compiler/fleet/disks.h"

#include <unistd.h>

#include "base/file.h"
#include "base/string_map.h"
#include "compiler/fleet/round.h"
#include "compiler/images/disk_image.h"
#include "compiler/session/build.h"

#define DISKS "store-disks"

enum {
	AT_ONCE = 4,            /* limits memory use and concurrent file system writes */
	LITTLE_BYTES = 4 << 20, /* two disks built at once may both pack this much */
};

struct making {
	const struct session *session;
	const struct fleet_disks *disks;
	struct image_settings settings;
	struct store_disk_result *results; /* one for each VM */
};

const char *fleet_disk_path(struct arena *arena, const char *directory, const char *key)
{
	return arena_printf(arena, "%s/" DISKS "/%s", directory, key);
}

/*
 * Links the disk of the old output: disks are complete when published and never written to again.
 */
static bool take_old(
	struct arena *arena, const struct fleet_disks *disks, const struct fleet_vm *vm)
{
	if (!disks->old)
		return false;
	const char *path = fleet_disk_path(arena, disks->directory, vm->disk_key),
		   *old = fleet_disk_path(arena, disks->old, vm->disk_key);
	const char *sizes = disk_image_sizes(arena, path);
	if (link(disk_image_sizes(arena, old), sizes) == 0 && link(old, path) == 0)
		return true;
	unlink(sizes);
	return false;
}

static bool make_planned(
	const struct making *making, const struct session *own, const struct fleet_vm *vm)
{
	const char *directory = making->disks->directory,
		   *scratch = arena_printf(own->arena, "%s/scratch-%s", directory, vm->disk_key);
	struct store_disk_result *result = &making->results[vm - making->disks->fleet->vms.v];
	bool ok = directory_make(own->diag, scratch, 0700) &&
		disk_image_make_shared(own->arena, own->diag, &own->plan, &making->settings,
			scratch, fleet_disk_path(own->arena, directory, vm->disk_key), result);
	return path_remove(own->diag, scratch) && ok;
}

static bool make_ready(
	void *context, const struct fleet_vm *vm, struct arena *arena, struct diag *diag)
{
	const struct making *making = context;
	struct session own;
	return fleet_plan_vm(making->session, making->disks->fleet, vm, arena, diag, &own) &&
		make_planned(making, &own, vm);
}

static void report(const struct making *making, const struct fleet_vm *vm)
{
	const struct store_disk_result *result = &making->results[vm - making->disks->fleet->vms.v];
	const char *title = arena_printf(making->session->arena, "store disk of %s", vm->name);
	progress_disk(making->disks->progress, title, result);
}

/* Whether the cache has all of the disk's store paths except for LITTLE_BYTES. */
static bool is_ready(const struct session *own, const struct image_settings *settings)
{
	const struct closure *closure = &own->plan.closure;
	const int64_t *stored =
		disk_image_peek(own->arena, &own->plan, settings->cache_dir, settings->sharing);
	int64_t lacks = 0;
	for (size_t i = 0; i < closure->n && lacks <= LITTLE_BYTES; i++)
		if (stored[i] < 0)
			lacks += closure->v[i].nar_size > 0 ? closure->v[i].nar_size
							    : LITTLE_BYTES + 1;
	return lacks <= LITTLE_BYTES;
}

/* Builds a disk unless it is `*ready`, that is, nearly all in the cache. */
static bool make_unready(struct session *session, const struct making *making,
	const struct fleet_vm *vm, bool *ready)
{
	struct session own;
	struct arena *arena = arena_new();
	bool ok = fleet_plan_vm(session, making->disks->fleet, vm, arena, session->diag, &own);
	*ready = ok && is_ready(&own, &making->settings);
	if (ok && !*ready) {
		ok = make_planned(making, &own, vm);
		if (ok)
			report(making, vm);
	}
	arena_free(arena);
	return ok;
}

struct numbers {
	size_t *v;
	size_t n;
	size_t capacity;
};

/* Builds the disks that are not ready; `ready` gets the VMs whose disks remain. */
static bool make_first(struct session *session, const struct making *making, struct numbers *ready)
{
	struct string_map known = {0};
	const struct fleet *fleet = making->disks->fleet;
	for (size_t i = 0; i < fleet->vms.n; i++) {
		const struct fleet_vm *vm = &fleet->vms.v[i];
		if (!vm->disk_key || string_map_find(&known, vm->disk_key) != SIZE_MAX)
			continue;
		string_map_set(session->arena, &known, vm->disk_key, i);
		bool left;
		if (take_old(session->arena, making->disks, vm))
			continue;
		if (!make_unready(session, making, vm, &left))
			return false;
		if (left)
			vec_push(session->arena, ready, i);
	}
	return true;
}

static bool make_rest(struct session *session, struct making *making, const struct numbers *ready)
{
	struct image_settings *settings = &making->settings;
	const size_t most = settings->jobs < AT_ONCE ? settings->jobs : AT_ONCE,
		     threads = ready->n < most ? ready->n : most;
	if (!ready->n)
		return true;
	settings->jobs /= (unsigned)threads;
	settings->path_begins = NULL;
	settings->progress = NULL; /* it can show only one disk at a time */
	const struct fleet_round round = {.fleet = making->disks->fleet,
		.vms = ready->v,
		.n = ready->n,
		.make = make_ready,
		.context = making};
	if (!fleet_round_run(session, &round, (unsigned)threads))
		return false;
	for (size_t i = 0; i < ready->n; i++)
		report(making, &making->disks->fleet->vms.v[ready->v[i]]);
	return true;
}

bool fleet_disks_make(struct session *session, const struct fleet_disks *disks)
{
	struct numbers ready = {0};
	struct making making = {.session = session,
		.disks = disks,
		.settings = *disks->settings,
		.results = arena_alloc(
			session->arena, (disks->fleet->vms.n + 1) * sizeof *making.results)};
	return directory_make(
		       session->diag, path_join(session->arena, disks->directory, DISKS), 0755) &&
		make_first(session, &making, &ready) && make_rest(session, &making, &ready);
}

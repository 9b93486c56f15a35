/* SPDX-License-Identifier: MIT */
/*
 * Two rounds: first each different store disk, one after the other, by all threads; then the VMs, one thread each. So a hundred VMs that share
 * a closure cost one disk and a hundred times the little rest. A plan lives as long as what it is for: of a hundred VMs, a few are in memory.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compiler/base/file.h"
#include "compiler/base/names.h"
#include "compiler/base/staging.h"
#include "compiler/build.h"
#include "compiler/disk_image.h"
#include "compiler/gcroots.h"
#include "compiler/host/fleet.h"

#define DISKS "store-disks"
#define COMMON "common" /* while it is built */

enum { MANIFEST_BYTES = 64 << 20 };

struct builder {
	struct session *session;
	const struct fleet *fleet;
	const char *old;       /* the output that is there, or would be */
	const char *directory; /* the one being made */
	struct image_settings settings;
	struct progress *progress;
	atomic_size_t next;    /* VM to be built */
	atomic_bool failed;
	struct diag **said;    /* by each VM's build */
};

static const char *disk_path(struct arena *arena, const char *directory, const char *key)
{
	return arena_printf(arena, "%s/" DISKS "/%s", directory, key);
}

/* ---- disks ---- */

static bool make_disk(const struct builder *builder, const struct fleet_vm *vm)
{
	struct arena *arena = builder->session->arena;
	const char *path = disk_path(arena, builder->directory, vm->disk_key), *old = disk_path(arena, builder->old, vm->disk_key);
	const char *scratch = path_join(arena, builder->directory, "scratch");
	struct store_disk_result result;
	struct session own;
	const char *sizes = disk_image_sizes(arena, path);
	if (link(disk_image_sizes(arena, old), sizes) == 0 && link(old, path) == 0) /* never written to, and complete: they were published */
		return true;
	unlink(sizes);
	struct arena *planning = arena_new();
	bool ok = directory_make(builder->session->diag, scratch, 0700) &&
		  fleet_plan_vm(builder->session, builder->fleet, vm, planning, builder->session->diag, &own) &&
		  disk_image_make_shared(planning, builder->session->diag, &own.plan, &builder->settings, scratch, path, &result);
	arena_free(planning);
	if (ok)
		progress_step(builder->progress, "store disk of %s: %.1f MB of %.1f MB, %zu store paths packed, %zu from the cache", vm->name,
			      (double)result.image_bytes / 1e6, (double)result.content_bytes / 1e6, result.packed, result.reused);
	return tree_remove(scratch) && ok;
}

static bool make_disks(const struct builder *builder)
{
	struct names made = {0};
	bool ok = directory_make(builder->session->diag, path_join(builder->session->arena, builder->directory, DISKS), 0755);
	for (size_t i = 0; ok && i < builder->fleet->vms.n; i++) {
		const struct fleet_vm *vm = &builder->fleet->vms.v[i];
		if (!vm->disk_key || names_find(&made, vm->disk_key) != SIZE_MAX)
			continue;
		names_set(builder->session->arena, &made, vm->disk_key, i);
		ok = make_disk(builder, vm);
	}
	return ok;
}

/* ---- runners ---- */

/* The host's own list of its VMs tells what was planned first. */
static bool build_planned(const struct session *own, const struct fleet_vm *vm, const struct image_settings *settings, const char *output)
{
	struct runner_result result;
	if (!runner_build(own->arena, own->diag, &own->plan, settings, output, &result))
		return false;
	return strcmp(result.fingerprint, vm->fingerprint) == 0 ||
	       diag_error(own->diag, STATUS_INPUT, NULL, "changed-input", "what it is made of changed while it was built");
}

/* Arenas and diagnostics are one thread's alone. */
static void build_vm(struct builder *builder, size_t number)
{
	const struct fleet_vm *vm = &builder->fleet->vms.v[number];
	struct arena *arena = arena_new();
	struct image_settings settings = builder->settings;
	struct session own;
	settings.jobs = 1;
	settings.no_sync = true; /* the host's directory is synced as a whole */
	settings.progress = NULL;
	settings.common = path_join(arena, builder->directory, COMMON);
	settings.store_disk = vm->disk_key ? disk_path(arena, builder->directory, vm->disk_key) : NULL;
	const char *output = arena_printf(arena, "%s/runners/%s", builder->directory, vm->name);
	if (!fleet_plan_vm(builder->session, builder->fleet, vm, arena, builder->said[number], &own) ||
	    !build_planned(&own, vm, &settings, output))
		atomic_store(&builder->failed, true);
	arena_free(arena);
}

static void *build_some(void *context)
{
	struct builder *builder = context;
	for (size_t i; (i = atomic_fetch_add(&builder->next, 1)) < builder->fleet->vms.n && !atomic_load(&builder->failed);)
		build_vm(builder, i);
	return NULL;
}

/* What went wrong with a VM, with the others' messages in the host's order. */
static bool collect(const struct builder *builder)
{
	struct session *session = builder->session;
	for (size_t i = 0; i < builder->fleet->vms.n; i++) {
		const char *text = diag_summary(session->arena, builder->said[i]);
		if (text)
			diag_error(session->diag, diag_status(builder->said[i]), NULL, "vm-failed", "%s: %s", builder->fleet->vms.v[i].name, text);
	}
	return !atomic_load(&builder->failed);
}

static bool make_runners(struct builder *builder)
{
	struct arena *arena = builder->session->arena, **arenas = arena_alloc(arena, builder->fleet->vms.n * sizeof *arenas);
	const char *common = path_join(arena, builder->directory, COMMON);
	if (!directory_make(builder->session->diag, path_join(arena, builder->directory, "runners"), 0755) ||
	    !directory_make(builder->session->diag, common, 0700))
		return false;
	builder->said = arena_alloc(arena, builder->fleet->vms.n * sizeof *builder->said);
	for (size_t i = 0; i < builder->fleet->vms.n; i++)
		builder->said[i] = diag_new(arenas[i] = arena_new());
	unsigned threads = 0;
	pthread_t *ids = arena_alloc(arena, builder->settings.jobs * sizeof *ids);
	while (threads + 1 < builder->settings.jobs && pthread_create(&ids[threads], NULL, build_some, builder) == 0)
		threads++;
	build_some(builder);
	while (threads)
		pthread_join(ids[--threads], NULL);
	bool ok = collect(builder) && (tree_remove(common) || diag_error(builder->session->diag, STATUS_FAILED, NULL, "unwritable-file",
									 "cannot remove %s: %s", common, strerror(errno)));
	for (size_t i = 0; i < builder->fleet->vms.n; i++)
		arena_free(arenas[i]);
	return ok;
}

/* ---- the whole ---- */

static bool is_up_to_date(struct session *session, const struct fleet *fleet, const char *output)
{
	struct bytes text;
	const char *path = path_join(session->arena, output, FLEET_MANIFEST);
	return path_exists(path) && file_read(session->arena, diag_new(session->arena), path, MANIFEST_BYTES, &text) &&
	       strcmp(text.p, fleet_manifest(session, fleet)) == 0;
}

static bool check_output(struct session *session, const char *output)
{
	return !path_exists(output) || (path_is_directory(output) && path_exists(path_join(session->arena, output, FLEET_MANIFEST))) ||
	       diag_error(session->diag, STATUS_FAILED, NULL, "output-exists", "%s exists and is no host; it stays as it is", output);
}

static bool build(struct session *session, const struct fleet *fleet, const char *output)
{
	struct progress progress;
	struct staging staging;
	const struct cache_sharing *sharing;
	if (!build_sharing(session, &sharing))
		return false;
	if (!staging_begin(session->arena, session->diag, output, &staging))
		return false;
	progress_begin(&progress, &session->cli);
	struct builder builder = {.session = session, .fleet = fleet, .old = output, .directory = staging.directory, .progress = &progress};
	builder.settings = (struct image_settings){.cache_dir = build_cache(session),
						   .sharing = sharing,
						   .jobs = cli_jobs(&session->cli),
						   .no_sync = session->cli.no_sync,
						   .progress = progress_bytes,
						   .progress_context = &progress};
	/* Of the whole process: the same for all threads from here on. */
	mode_t mask = umask(022);
	bool ok = make_disks(&builder) && make_runners(&builder) && fleet_write(session, fleet, staging.directory);
	umask(mask);
	staging.unsynced = session->cli.no_sync;
	if (ok)
		return staging_publish(session->diag, &staging);
	staging_abandon(&staging);
	return false;
}

bool fleet_build(struct session *session, const struct fleet *fleet, const char *output, bool *changed)
{
	struct gcroots roots;
	output = path_absolute(session->arena, output);
	*changed = !is_up_to_date(session, fleet, output);
	if (!check_output(session, output))
		return false;
	if (!session->cli.gcroot)
		return !*changed || build(session, fleet, output);
	if (!gcroots_begin(session->arena, session->diag, &fleet->roots, output, session->cli.gcroot_dir, &roots))
		return false;
	if (!*changed || build(session, fleet, output))
		return gcroots_publish(&roots, path_join(session->arena, output, "share/gcroots"));
	gcroots_abandon(&roots);
	return false;
}

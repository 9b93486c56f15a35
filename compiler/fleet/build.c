/* SPDX-License-Identifier: MIT */
/*
 * build: creates each distinct store disk once, then the VMs' runners, one thread each. A hundred
 * VMs with one closure therefore cost one disk and a hundred small runners. A plan is freed after
 * each use, so that only a few VMs are in memory at a time.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/interrupts.h"
#include "base/own.h"
#include "base/staging.h"
#include "compiler/fleet/disks.h"
#include "compiler/fleet/fleet.h"
#include "compiler/fleet/round.h"
#include "compiler/runner/gcroots.h"
#include "compiler/runner/runner.h"
#include "compiler/session/cache_settings.h"
#include "compiler/session/progress.h"

#define COMMON "common" /* exists only during the build */

struct builder {
	struct session *session;
	const struct fleet *fleet;
	const char *directory; /* the staging directory */
	struct image_settings settings;
};

/* ---- runners ---- */

/*
 * The host's list of VMs records the fingerprints of the first planning, so the runner must match.
 */
static bool build_planned(const struct session *own, const struct fleet_vm *vm,
	const struct image_settings *settings, const char *output)
{
	struct runner_result result;
	if (!runner_build(own->arena, own->diag, &own->plan, settings, output, &result))
		return false;
	return strcmp(result.fingerprint, vm->fingerprint) == 0 ||
		diag_error(own->diag, STATUS_INPUT, NULL, "changed-input",
			"its inputs changed during the build; build again");
}

static bool build_vm(
	void *context, const struct fleet_vm *vm, struct arena *arena, struct diag *diag)
{
	const struct builder *builder = context;
	struct image_settings settings = builder->settings;
	struct session own;
	settings.jobs = 1;
	settings.no_sync = true; /* the host's directory is synced as a whole */
	settings.progress = NULL;
	settings.path_begins = NULL;
	settings.common = path_join(arena, builder->directory, COMMON);
	settings.store_disk =
		vm->disk_key ? fleet_disk_path(arena, builder->directory, vm->disk_key) : NULL;
	const char *output = arena_printf(arena, "%s/runners/%s", builder->directory, vm->name);
	return fleet_plan_vm(builder->session, builder->fleet, vm, arena, diag, &own) &&
		build_planned(&own, vm, &settings, output);
}

static bool make_runners(struct builder *builder)
{
	struct session *session = builder->session;
	const char *common = path_join(session->arena, builder->directory, COMMON);
	const struct fleet_round round = {.fleet = builder->fleet,
		.n = builder->fleet->vms.n,
		.make = build_vm,
		.context = builder};
	if (!directory_make(
		    session->diag, path_join(session->arena, builder->directory, "runners"), 0755))
		return false;
	if (!directory_make(session->diag, common, 0700))
		return false;
	if (!fleet_round_run(session, &round, builder->settings.jobs))
		return false;
	return path_remove(session->diag, common);
}

/* ---- the whole ---- */

static bool is_up_to_date(
	struct session *session, const struct fleet *fleet, const char *output, bool whole)
{
	struct bytes text;
	const char *path = path_join(session->arena, output, FLEET_MANIFEST);
	return whole && !session->settings.force && path_exists(path) &&
		file_read(session->arena, diag_new(session->arena), path, FLEET_MANIFEST_BYTES,
			&text) &&
		strcmp(text.p, fleet_manifest(session, fleet)) == 0;
}

/* `old`: the existing output, if it is unmodified and its disks can be reused; else NULL. */
static bool build_beside(struct session *session, struct progress *progress,
	const struct fleet *fleet, const char *output, const char *old)
{
	struct staging staging;
	const struct cache_sharing *sharing;
	if (!settings_sharing(session->arena, session->diag, &session->settings, &sharing))
		return false;
	if (!staging_begin(session->arena, session->diag, output, &staging))
		return false;
	struct builder builder = {
		.session = session, .fleet = fleet, .directory = staging.directory};
	builder.settings = (struct image_settings){
		.cache_dir = settings_cache(session->arena, session->diag, &session->settings),
		.sharing = sharing,
		.jobs = settings_jobs(&session->settings),
		.no_sync = session->settings.no_sync,
		.progress = progress_bytes,
		.path_begins = progress_path,
		.progress_context = progress};
	const struct fleet_disks disks = {
		fleet, old, staging.directory, &builder.settings, progress};
	/* umask is per process: set it before the threads start. */
	mode_t mask = umask(022);
	bool ok = fleet_disks_make(session, &disks) && make_runners(&builder) &&
		fleet_write(session, fleet, staging.directory);
	umask(mask);
	staging.unsynced = session->settings.no_sync;
	staging.listed = true;
	if (ok)
		return staging_publish(session->diag, &staging);
	progress_clear(progress);
	staging_abandon(&staging);
	return false;
}

/*
 * Hard links to the old disks come and go, which changes their ctime and breaks the old seal: it is
 * set again if the build fails or is interrupted.
 */
static bool build(struct session *session, struct progress *progress, const struct fleet *fleet,
	const char *output, const char *old)
{
	const bool durable = !session->settings.no_sync;
	if (old)
		interrupts_seal(old, durable);
	const bool ok = build_beside(session, progress, fleet, output, old);
	if (old && !ok)
		own_seal(session->arena, old, durable);
	if (old)
		interrupts_seal_end(old, durable);
	return ok;
}

bool fleet_build(struct session *session, struct progress *progress, const struct fleet *fleet,
	const char *output, bool *changed)
{
	struct gcroots roots;
	output = path_absolute(session->arena, output);
	if (!staging_may_replace(session->arena, session->diag, output, "host", FLEET_MANIFEST))
		return false;
	const bool whole = own_seal_holds(session->arena, output, !session->settings.no_sync);
	const char *old = whole && !session->settings.force ? output : NULL;
	*changed = !is_up_to_date(session, fleet, output, whole);
	if (!*changed)
		staging_clean(session->arena, output);
	if (!session->settings.gcroot)
		return !*changed || build(session, progress, fleet, output, old);
	if (!gcroots_begin(session->arena, session->diag, &fleet->roots, output,
		    session->settings.gcroot_dir, &roots))
		return false;
	if (!*changed || build(session, progress, fleet, output, old))
		return gcroots_publish(&roots, path_join(session->arena, output, "share/gcroots"));
	gcroots_abandon(&roots);
	return false;
}

/* SPDX-License-Identifier: MIT */
#include "compiler/session/build.h"

#include <errno.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "compiler/runner/gcroots.h"
#include "imaging/cache/cache.h"

/* ---- settings ---- */

/* Why a cache that nobody asked for is not used; NULL: it can be. */
static const char *cache_problem(struct arena *arena, const char *path)
{
	struct stat st;
	while (stat(path, &st) != 0 && strcmp(path, "/") != 0)
		path = path_parent(arena, path);
	if (!S_ISDIR(st.st_mode))
		return arena_printf(arena, "%s is not a directory", path);
	if (st.st_uid != geteuid() && strcmp(path_base(path), "mvmbuild") == 0)
		return arena_printf(arena, "%s belongs to user %u", path, (unsigned)st.st_uid);
	return access(path, W_OK) == 0 ? NULL
				       : arena_printf(arena, "%s: %s", path, strerror(errno));
}

/*
 * The user's own cache; NULL where there is no place for one: in a Nix sandbox HOME does not exist,
 * under sudo it may be somebody else's.
 */
static const char *default_cache(struct session *session)
{
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME"), *path = NULL;
	if (xdg && xdg[0] == '/')
		path = path_join(session->arena, xdg, "mvmbuild");
	else if (home && home[0] == '/' && path_is_directory(home))
		path = path_join(session->arena, home, ".cache/mvmbuild");
	const char *problem = path ? cache_problem(session->arena, path) : NULL;
	if (!problem)
		return path;
	diag_warning(session->diag, NULL, "unusable-cache",
		"no cache is used: %s; --cache names another", problem);
	return NULL;
}

const char *build_cache(struct session *session)
{
	if (session->cli.no_cache)
		return NULL;
	return session->cli.cache_dir ? session->cli.cache_dir : default_cache(session);
}

const char *build_own_cache(struct session *session)
{
	const char *path = build_cache(session);
	if (!path)
		diag_error(session->diag, STATUS_FAILED, NULL, "unusable-cache",
			"there is no cache; --cache names one");
	return path;
}

static bool find_user(struct session *session, const char *name, uid_t *out)
{
	char *end;
	errno = 0;
	const struct passwd *user = getpwnam(name);
	const unsigned long number = strtoul(name, &end, 10);
	*out = user ? user->pw_uid : (uid_t)number;
	return user || (*name >= '0' && *name <= '9' && !*end && number < UINT32_MAX) ||
		diag_error(session->diag, STATUS_USAGE, NULL, "usage",
			"--cache-owner: there is no user \"%s\"", name);
}

bool build_sharing(struct session *session, const struct cache_sharing **out)
{
	const struct cli *cli = &session->cli;
	struct cache_sharing *sharing = arena_alloc(session->arena, sizeof *sharing);
	uid_t *owners = arena_alloc(session->arena, (cli->cache_owners.n + 1) * sizeof *owners);
	for (size_t i = 0; i < cli->cache_owners.n; i++)
		if (!find_user(session, cli->cache_owners.v[i], &owners[i]))
			return false;
	*sharing = (struct cache_sharing){
		cli->cache_from.v, cli->cache_from.n, {owners, cli->cache_owners.n}};
	*out = sharing->n ? sharing : NULL;
	return true;
}

/* ---- building ---- */

static void report_result(struct arena *arena, struct progress *progress, const struct plan *plan,
	const struct runner_result *result)
{
	if (result->up_to_date) {
		progress_step(progress, "%s is up to date", result->path);
		return;
	}
	const struct store_disk_result *disk = &result->images.store_disk;
	if (plan->vm->store_on_disk)
		progress_step(progress,
			"store disk: %.1f MB of %.1f MB, %zu store paths packed, %zu from the "
			"cache",
			(double)disk->image_bytes / 1e6, (double)disk->content_bytes / 1e6,
			disk->packed, disk->reused);
	if (disk->verity.data_blocks)
		progress_step(progress, "hash tree: %.1f MB, root hash %s",
			(double)verity_tree_bytes(&disk->verity) / 1e6,
			verity_root_text(arena, &disk->verity));
	if (plan->own_stage1)
		progress_step(progress, "stage 1: %.0f KB, %zu kernel modules",
			(double)result->images.initrd_bytes / 1e3, plan->modules.n);
}

static void report_plan_read(struct progress *progress, const struct plan *plan)
{
	progress_step(progress, "closure: %zu store paths, from %s", plan->closure.n,
		plan->closure.source);
	progress_step(progress, "kernel: %s, %s",
		plan->system.kernel.version ? plan->system.kernel.version : "of unknown version",
		kernel_format_name(plan->system.kernel.format));
}

bool build_runner(struct session *session, struct progress *progress, const char *output,
	struct runner_result *result)
{
	const struct plan *plan = &session->plan;
	const struct cache_sharing *sharing;
	report_plan_read(progress, plan);
	if (!build_sharing(session, &sharing))
		return false;
	const struct image_settings settings = {
		.cache_dir = build_cache(session),
		.sharing = sharing,
		.jobs = cli_jobs(&session->cli),
		.force = session->cli.force,
		.no_sync = session->cli.no_sync,
		.progress = progress_bytes,
		.progress_context = progress,
	};
	struct gcroots_paths paths = {0};
	struct gcroots roots;
	gcroots_collect(session->arena, plan, &paths);
	if (session->cli.gcroot &&
		!gcroots_begin(session->arena, session->diag, &paths, output,
			session->cli.gcroot_dir, &roots))
		return false;
	if (!runner_build(session->arena, session->diag, plan, &settings, output, result)) {
		if (session->cli.gcroot)
			gcroots_abandon(&roots);
		return false;
	}
	report_result(session->arena, progress, plan, result);
	return !session->cli.gcroot ||
		gcroots_publish(
			&roots, path_join(session->arena, result->path, RUNNER_SHARE "/gcroots"));
}

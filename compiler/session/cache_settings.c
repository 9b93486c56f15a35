/* SPDX-License-Identifier: MIT */
#include "compiler/session/cache_settings.h"

#include <errno.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"

/* Why the default cache cannot be used; NULL: it can. */
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
 * The user's own cache; NULL if there is no place for it: HOME does not exist in a Nix sandbox, and
 * may belong to another user under sudo.
 */
static const char *default_cache(struct arena *arena, struct diag *diag)
{
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME"), *path = NULL;
	if (xdg && xdg[0] == '/')
		path = path_join(arena, xdg, "mvmbuild");
	else if (home && home[0] == '/' && path_is_directory(home))
		path = path_join(arena, home, ".cache/mvmbuild");
	const char *problem = path ? cache_problem(arena, path) : NULL;
	if (!problem)
		return path;
	diag_warning(diag, NULL, "unusable-cache",
		"building without a cache: %s; name another one with --cache", problem);
	return NULL;
}

const char *settings_cache(
	struct arena *arena, struct diag *diag, const struct build_settings *settings)
{
	if (settings->no_cache)
		return NULL;
	return settings->cache_dir ? settings->cache_dir : default_cache(arena, diag);
}

static bool find_user(struct diag *diag, const char *name, uid_t *out)
{
	uint64_t number = 0;
	const struct passwd *user = getpwnam(name);
	const bool found = user || number_parse(name, 0, UINT32_MAX - 1, &number);
	*out = user ? user->pw_uid : (uid_t)number;
	return found ||
		diag_error(diag, STATUS_USAGE, NULL, "usage",
			"--cache-owner: there is no user \"%s\"", name);
}

static bool refuse_both(struct diag *diag, const char *first, const char *second)
{
	return diag_error(
		diag, STATUS_USAGE, NULL, "usage", "%s and %s exclude each other", first, second);
}

bool settings_check(struct diag *diag, const struct build_settings *settings)
{
	uid_t owner;
	if (settings->quiet && settings->verbose)
		return refuse_both(diag, "--quiet", "--verbose");
	if (settings->no_cache && settings->cache_dir)
		return refuse_both(diag, "--no-cache", "--cache");
	for (size_t i = 0; i < settings->cache_owners.n; i++)
		if (!find_user(diag, settings->cache_owners.v[i], &owner))
			return false;
	return true;
}

bool settings_sharing(struct arena *arena, struct diag *diag, const struct build_settings *settings,
	const struct cache_sharing **out)
{
	struct cache_sharing *sharing = arena_alloc(arena, sizeof *sharing);
	uid_t *owners = arena_alloc(arena, (settings->cache_owners.n + 1) * sizeof *owners);
	for (size_t i = 0; i < settings->cache_owners.n; i++)
		if (!find_user(diag, settings->cache_owners.v[i], &owners[i]))
			return false;
	*sharing = (struct cache_sharing){settings->cache_from.v, settings->cache_from.n,
		{.v = owners, .n = settings->cache_owners.n}};
	*out = sharing->n ? sharing : NULL;
	return true;
}

unsigned settings_jobs(const struct build_settings *settings)
{
	if (settings->jobs)
		return settings->jobs;
	const char *cores = settings->all_cpus ? NULL : getenv("NIX_BUILD_CORES");
	long n = cores ? strtol(cores, NULL, 10) : 0; /* 0: all */
	if (n < 1)
		n = sysconf(_SC_NPROCESSORS_ONLN);
	return n < 1 ? 1 : n > 256 ? 256 : (unsigned)n;
}

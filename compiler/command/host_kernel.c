/* SPDX-License-Identifier: MIT */
#include "compiler/command/host_kernel.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

static int newest_first(const void *a, const void *b)
{
	const char *const *left = a, *const *right = b;
	return strverscmp(*right, *left);
}

static struct strings installed_versions(struct arena *arena, const char *modules)
{
	struct strings versions = {0};
	DIR *stream = opendir(modules);
	if (!stream)
		return versions;
	for (struct dirent *entry; (entry = directory_next(stream, modules));)
		if (entry->d_name[0] != '.' &&
			path_is_directory(path_join(arena, modules, entry->d_name)))
			vec_push(arena, &versions, arena_strdup(arena, entry->d_name));
	closedir(stream);
	if (versions.n > 0)
		qsort(versions.v, versions.n, sizeof *versions.v, newest_first);
	return versions;
}

static void consider(struct host_kernel *found, const char *path)
{
	if (found->path || !path_exists(path))
		return;
	if (access(path, R_OK) == 0)
		found->path = path;
	else if (!found->unreadable)
		found->unreadable = path;
}

/* Whether YAML and comments take every character of the version literally. */
static bool is_plain(const char *version)
{
	return version[strspn(version,
		       "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		       "0123456789._+~-")] == '\0';
}

static void consider_version(
	struct arena *arena, struct host_kernel *found, const char *root, const char *version)
{
	const char *modules =
		path_join(arena, root, arena_printf(arena, "lib/modules/%s", version));
	if (!is_plain(version) || !path_is_directory(modules))
		return;
	consider(found, path_join(arena, root, arena_printf(arena, "boot/vmlinuz-%s", version)));
	consider(found, path_join(arena, modules, "vmlinuz"));
}

struct host_kernel host_kernel_find(struct arena *arena, const char *root, const char *release)
{
	struct host_kernel found = {0};
	const struct strings versions =
		installed_versions(arena, path_join(arena, root, "lib/modules"));
	consider_version(arena, &found, root, release);
	for (size_t i = 0; i < versions.n; i++)
		consider_version(arena, &found, root, versions.v[i]);
	return found;
}

/* SPDX-License-Identifier: MIT */
#include "imaging/modules/directory.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/ending.h"
#include "base/file.h"

static bool is_version_directory(struct arena *arena, const char *path)
{
	return path_exists(path_join(arena, path, "modules.order")) ||
		path_exists(path_join(arena, path, "modules.builtin")) ||
		path_exists(path_join(arena, path, "modules.dep"));
}

static struct strings subdirectories(struct arena *arena, const char *path)
{
	struct strings names = {0};
	DIR *directory = opendir(path);
	if (!directory) {
		ending_unless_absent(path, errno);
		return names;
	}
	for (const struct dirent *entry; (entry = directory_next(directory, path));)
		if (entry->d_name[0] != '.' &&
			path_is_directory(path_join(arena, path, entry->d_name)))
			vec_push(arena, &names, arena_strdup(arena, entry->d_name));
	closedir(directory);
	if (names.n)
		qsort(names.v, names.n, sizeof *names.v, strings_compare);
	return names;
}

/* Returns the folder that has one subdirectory per kernel version. */
static const char *versions_folder(struct arena *arena, const char *directory)
{
	static const char *const inner[] = {"lib/modules", "usr/lib/modules"};
	for (size_t i = 0; i < countof(inner); i++) {
		const char *folder = path_join(arena, directory, inner[i]);
		if (path_is_directory(folder))
			return folder;
	}
	return directory;
}

static const char *no_version(struct diag *diag, const struct pos *where, const char *folder,
	const struct strings *found, const char *version)
{
	BUF_CLEANUP struct buf names = {0};
	for (size_t i = 0; i < found->n; i++)
		buf_printf(&names, "%s%s", i ? ", " : "", found->v[i]);
	if (found->n == 0)
		diag_error(diag, STATUS_INPUT, where, "no-modules",
			"%s has no kernel modules: it does not contain lib/modules/VERSION",
			folder);
	else if (version)
		diag_error(diag, STATUS_INPUT, where, "kernel-version",
			"%s has modules for kernel %s, but the kernel is version %s", folder,
			buf_text(&names), version);
	else
		diag_error(diag, STATUS_INPUT, where, "kernel-version",
			"%s has modules for several kernels, and the kernel's version is unknown; "
			"name one of the directories: %s",
			folder, buf_text(&names));
	return NULL;
}

const char *module_directory_find(struct arena *arena, struct diag *diag, const char *directory,
	const char *version, const struct pos *where)
{
	if (!path_is_directory(directory)) {
		diag_error(diag, STATUS_INPUT, where, "no-modules",
			"cannot read the kernel modules in %s: %s", directory,
			strerror(path_exists(directory) ? ENOTDIR : ENOENT));
		return NULL;
	}
	if (is_version_directory(arena, directory))
		return directory;
	const char *folder = versions_folder(arena, directory);
	struct strings found = subdirectories(arena, folder);
	for (size_t i = 0; i < found.n; i++)
		if (version ? strcmp(found.v[i], version) == 0 : found.n == 1)
			return path_join(arena, folder, found.v[i]);
	return no_version(diag, where, folder, &found, version);
}

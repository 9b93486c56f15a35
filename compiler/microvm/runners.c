/* SPDX-License-Identifier: MIT */
#include "compiler/microvm/runners.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "compiler/microvm/custody.h"
#include "compiler/microvm/links.h"
#include "compiler/microvm/roots.h"

static bool is_named(const char *link, const char *directory, const char *name)
{
	size_t length = strlen(directory);
	if (link && link[0] == '/') /* the whole path is as good */
		link = strncmp(link, directory, length) == 0 && link[length] == '/'
			? link + length + 1
			: NULL;
	return link && strncmp(link, RUNNERS "/", strlen(RUNNERS "/")) == 0 &&
		strcmp(link + strlen(RUNNERS "/"), name) == 0;
}

static bool is_needed(const struct machine *machine, const char *name)
{
	return is_named(machine->current, machine->directory, name) ||
		is_named(machine->booted, machine->directory, name) ||
		is_named(machine->old, machine->directory, name);
}

/* What killed builds left has a name with a dot. */
static const char *foreign_in(const struct host *host, const char *path)
{
	return path_base(path)[0] == '.' ? NULL : own_find_foreign(host->arena, path);
}

/*
 * A runner in which something is that no build made, the volume of a VM that was started there,
 * stays.
 */
static bool remove_runner(const struct host *host, const char *path)
{
	const char *foreign = foreign_in(host, path);
	/* Cut off, half a runner must not have a runner's name. */
	const char *gone = arena_printf(
		host->arena, "%s/.gone-%s", path_parent(host->arena, path), path_base(path));
	if (!foreign)
		return path_remove(host->diag,
			path_base(path)[0] != '.' && rename(path, gone) == 0 ? gone : path);
	diag_warning(host->diag, NULL, "foreign-file",
		"the old runner %s stays: it has the file %s, which was not built", path, foreign);
	return true;
}

bool runners_prune(const struct host *host, const struct machine *machine)
{
	const char *directory = machine_path(host, machine, RUNNERS);
	/* In a flake's VM it is not there, and somebody else may put a link in its place. */
	DIR *stream = custody_holds(directory) ? opendir(directory) : NULL;
	if (!stream)
		return true;
	bool ok = true;
	for (struct dirent *entry; (entry = readdir(stream));) {
		bool itself = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
		if (itself || is_needed(machine, entry->d_name))
			continue;
		ok &= remove_runner(host, path_join(host->arena, directory, entry->d_name));
		roots_forget_runner(host, machine->name, entry->d_name);
	}
	closedir(stream);
	return ok;
}

bool runners_are_ours(const struct host *host, const struct machine *machine)
{
	const char *directory = machine_path(host, machine, RUNNERS);
	DIR *stream = custody_holds(directory) ? opendir(directory) : NULL;
	bool ok = true;
	for (struct dirent *entry; ok && stream && (entry = readdir(stream));) {
		const char *path = path_join(host->arena, directory, entry->d_name),
			   *foreign = foreign_in(host, path);
		if (foreign)
			ok = diag_error(host->diag, STATUS_FAILED, NULL, "foreign-file",
				"the runner %s has the file %s, which was not built: nothing is "
				"removed; move it away first",
				path, foreign);
	}
	if (stream)
		closedir(stream);
	return ok;
}

void disks_prune(const struct host *host)
{
	const char *directory = path_join(host->arena, host->state_dir, ".store-disks");
	FD_CLEANUP int lock = open(host->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* install-host holds it while it has disks that are no runner's yet. */
	DIR *stream = lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0 ? opendir(directory) : NULL;
	if (!stream)
		return;
	for (struct dirent *entry; (entry = readdir(stream));) {
		struct stat st;
		const char *path = path_join(host->arena, directory, entry->d_name);
		if (lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1)
			unlink(path);
	}
	closedir(stream);
	rmdir(directory); /* when it was the last one */
}

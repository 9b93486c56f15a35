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
	if (link && link[0] == '/') /* an absolute path is accepted too */
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

/* The remains of killed builds have names that start with a dot. */
static const char *foreign_in(const struct host *host, const char *path)
{
	return path_base(path)[0] == '.' ? NULL : own_find_foreign(host->arena, path);
}

/* Keeps a runner with a file that no build made, such as a volume of a VM that was started there.
 */
static bool remove_runner(const struct host *host, const char *path)
{
	const char *foreign = foreign_in(host, path);
	/* If the removal is interrupted, the rest must not have the name of a runner. */
	const char *gone = arena_printf(
		host->arena, "%s/.gone-%s", path_parent(host->arena, path), path_base(path));
	if (!foreign)
		return path_remove(host->diag,
			path_base(path)[0] != '.' && rename(path, gone) == 0 ? gone : path);
	diag_warning(host->diag, NULL, "foreign-file",
		"keeping the old runner %s, because no build made its file %s", path, foreign);
	return true;
}

bool runners_prune(const struct host *host, const struct machine *machine)
{
	const char *directory = machine_path(host, machine, RUNNERS);
	/* VMs of flakes do not have it, so that the VMs' user may put a link there. */
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
				"the runner %s has the file %s, which no build made; nothing is "
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
	/* install-host holds this lock while no runner uses its new disks yet. */
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

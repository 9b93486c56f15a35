/* SPDX-License-Identifier: MIT */
/* tree: removing trees. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compiler/base/file.h"

static bool is_dot(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static bool remove_at(int parent, const char *name);

static bool remove_children(int directory)
{
	DIR *stream = fdopendir(directory);
	if (!stream) {
		close(directory);
		return false;
	}
	bool ok = true;
	errno = 0;
	for (struct dirent *entry; (entry = readdir(stream)); errno = 0)
		if (!is_dot(entry->d_name) && !remove_at(dirfd(stream), entry->d_name))
			ok = false;
	ok &= errno == 0;
	closedir(stream);
	return ok;
}

/* A directory that was made read-only on purpose (a copied store path), or unreadable, must not stop us. */
static void make_passable(int parent, const char *name)
{
	FD_CLEANUP int fd = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char self[sizeof "/proc/self/fd/" + 10]; /* a path without permission allows no fchmod */
	snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
	if (fd >= 0)
		chmod(self, 0700);
}

static bool remove_at(int parent, const char *name)
{
	if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
		return true;
	if (errno != EISDIR && errno != EPERM)
		return false;
	make_passable(parent, name);
	int directory = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (directory < 0)
		return errno == ENOENT;
	bool emptied = remove_children(directory);
	return (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT) && emptied;
}

bool tree_remove(const char *path)
{
	return remove_at(AT_FDCWD, path);
}

/* SPDX-License-Identifier: MIT */
#include "imaging/guest/nix_db/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "imaging/guest/nix_db/message.h"

enum { TEXT_BYTES = 4096 };

const char *read_text(struct arena *arena, const char *path)
{
	char text[TEXT_BYTES];
	return file_start(path, text, sizeof text) < 0 ? NULL : arena_strdup(arena, text);
}

bool sync_directory(const char *path)
{
	return directory_sync(path) || fail("cannot sync %s: %s", path, strerror(errno));
}

/* Opens a sibling that no other program reads. One that a killed run left is overwritten. */
static int sibling_open(struct arena *arena, const char *path, const char **sibling)
{
	*sibling = arena_printf(arena, "%s.mvm-new", path);
	int fd = open(*sibling, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0 || fchmod(fd, 0644) != 0)
		fail("cannot write %s: %s", *sibling, strerror(errno));
	return fd;
}

static bool sibling_publish(struct arena *arena, int fd, const char *sibling, const char *path)
{
	if (fsync(fd) != 0 || rename(sibling, path) != 0)
		return fail("cannot write %s: %s", path, strerror(errno));
	return sync_directory(path_parent(arena, path));
}

bool publish_text(struct arena *arena, const char *path, const char *text)
{
	const char *sibling;
	FD_CLEANUP int fd = sibling_open(arena, path, &sibling);
	if (fd < 0)
		return false;
	if (!fd_write_all(fd, text, strlen(text), 0))
		return fail("cannot write %s: %s", sibling, strerror(errno));
	return sibling_publish(arena, fd, sibling, path);
}

bool publish_copy(struct arena *arena, const char *source, const char *path)
{
	const char *sibling;
	struct stat st;
	FD_CLEANUP int from = open(source, O_RDONLY | O_CLOEXEC);
	if (from < 0 || fstat(from, &st) != 0)
		return fail("cannot read %s: %s", source, strerror(errno));
	FD_CLEANUP int to = sibling_open(arena, path, &sibling);
	if (to < 0)
		return false;
	if (!fd_copy_range(from, 0, to, 0, (uint64_t)st.st_size))
		return fail("cannot copy %s to %s: %s", source, sibling, strerror(errno));
	return sibling_publish(arena, to, sibling, path);
}

bool publish_file(struct arena *arena, const char *finished, const char *path)
{
	FD_CLEANUP int fd = open(finished, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fchmod(fd, 0644) != 0)
		return fail("cannot write %s: %s", finished, strerror(errno));
	return sibling_publish(arena, fd, finished, path);
}

bool make_directories(struct arena *arena, const char *path)
{
	if (path_is_directory(path))
		return true;
	const char *parent = path_parent(arena, path);
	if (strcmp(parent, path) != 0 && !make_directories(arena, parent))
		return false;
	if (mkdir(path, 0755) != 0 && errno != EEXIST)
		return fail("cannot make %s: %s", path, strerror(errno));
	return sync_directory(parent);
}

bool remove_file(const char *path)
{
	return unlink(path) == 0 || errno == ENOENT ||
		fail("cannot remove %s: %s", path, strerror(errno));
}

/* SPDX-License-Identifier: MIT */
#include "compiler/base/staging.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compiler/base/arena.h"
#include "compiler/base/file.h"

#define RANDOM_PART "XXXXXX"

/* The prefix of the names of unfinished siblings of `target`: ".NAME.mvmbuild-"; RANDOM_PART follows. */
static const char *litter_prefix(struct arena *arena, const char *target)
{
	return arena_printf(arena, ".%s.mvmbuild-", path_base(target));
}

/* An unfinished directory is litter when nobody holds it any more. */
static void remove_litter(struct arena *arena, const char *parent, const char *prefix)
{
	DIR *stream = opendir(parent);
	if (!stream)
		return;
	for (struct dirent *entry; (entry = readdir(stream));) {
		if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0 ||
		    strlen(entry->d_name) != strlen(prefix) + strlen(RANDOM_PART))
			continue;
		struct hold hold;
		if (hold_seize(dirfd(stream), entry->d_name, &hold))
			hold_remove(&hold, path_join(arena, parent, entry->d_name));
	}
	closedir(stream);
}

/* Makes and holds a directory in the place of `template`; false with errno set. */
static bool make_held(struct arena *arena, const char *template, struct staging *staging)
{
	for (int tries = 0; tries < 1000; tries++) {
		char *directory = arena_strdup(arena, template);
		if (!mkdtemp(directory))
			return false;
		interrupts_remove(directory);
		staging->directory = directory;
		if (hold_take(directory, &staging->hold))
			return true;
		int error = errno;
		staging_abandon(staging);
		errno = error;
		if (error != EAGAIN)
			return false;
	}
	return false;
}

bool staging_begin(struct arena *arena, struct diag *diag, const char *target, struct staging *staging)
{
	*staging = (struct staging){.target = path_absolute(arena, target), .hold = {-1, -1}};
	const char *parent = path_parent(arena, staging->target), *prefix = litter_prefix(arena, staging->target);
	remove_litter(arena, parent, prefix);
	if (make_held(arena, arena_printf(arena, "%s%s" RANDOM_PART, path_join(arena, parent, ""), prefix), staging))
		return true;
	return diag_error(diag, STATUS_FAILED, NULL, "unwritable-output", "cannot make a directory in %s: %s", parent, strerror(errno));
}

typedef bool visit_function(int fd);

static bool visit_at(int parent, const char *name, visit_function *visit);

static bool visit_children(int directory, visit_function *visit)
{
	int fd = fcntl(directory, F_DUPFD_CLOEXEC, 0);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	if (!stream) {
		fd_close(&fd);
		return false;
	}
	bool ok = true;
	for (struct dirent *entry; ok && (entry = readdir(stream));)
		ok = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 || visit_at(directory, entry->d_name, visit);
	closedir(stream);
	return ok;
}

/* A regular file, or a directory after what is in it. Links have no data of their own. */
static bool visit_at(int parent, const char *name, visit_function *visit)
{
	struct stat st;
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return false;
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		return true;
	FD_CLEANUP int fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return fd >= 0 && (!S_ISDIR(st.st_mode) || visit_children(fd, visit)) && visit(fd);
}

/* No matter whether it does. */
static bool sync_start(int fd)
{
	sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	return true;
}

static bool sync_finish(int fd)
{
	return fsync(fd) == 0;
}

/* Makes a tree durable. All of it is on its way before the first file is waited for: so they share a commit of the file system's journal. */
static bool tree_sync(const char *path)
{
	return visit_at(AT_FDCWD, path, sync_start) && visit_at(AT_FDCWD, path, sync_finish);
}

/* For file systems that cannot exchange two names (NFS, 9p): for a moment there is nothing at the target. */
static bool replace_in_two_steps(const struct staging *staging)
{
	/* Not after a look: another machine may just have put something there. */
	if (rename(staging->directory, staging->target) == 0)
		return true;
	if (errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR)
		return false;
	size_t length = strlen(staging->directory);
	char *old = strdup(staging->directory);
	if (!old)
		abort();
	memcpy(old + length - strlen(RANDOM_PART), RANDOM_PART, strlen(RANDOM_PART));
	/* The name is reserved by making it; only a directory could be renamed over it. */
	bool ok = mkdtemp(old) && rmdir(old) == 0 && rename(staging->target, old) == 0;
	if (ok && rename(staging->directory, staging->target) != 0) {
		int error = errno;
		rename(old, staging->target);
		errno = error;
		ok = false;
	} else if (ok)
		tree_remove(old);
	free(old);
	return ok;
}

static bool put_in_place(const struct staging *staging)
{
	if (renameat2(AT_FDCWD, staging->directory, AT_FDCWD, staging->target, RENAME_NOREPLACE) == 0)
		return true;
	if (errno == EEXIST && renameat2(AT_FDCWD, staging->directory, AT_FDCWD, staging->target, RENAME_EXCHANGE) == 0) {
		tree_remove(staging->directory);
		return true;
	}
	return (errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP) && replace_in_two_steps(staging);
}

/* Makes the new name durable; what it names is. */
static void sync_parent(const struct staging *staging)
{
	FD_CLEANUP int parent = openat(staging->hold.directory, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent >= 0)
		fsync(parent);
}

static bool publish(struct diag *diag, struct staging *staging, bool (*put)(const struct staging *))
{
	if ((!staging->unsynced && !tree_sync(staging->directory)) || !put(staging)) {
		diag_error(diag, STATUS_FAILED, NULL, "unwritable-output", "cannot publish %s: %s", staging->target, strerror(errno));
		staging_abandon(staging);
		return false;
	}
	if (!staging->unsynced)
		sync_parent(staging);
	interrupts_keep(staging->directory);
	hold_finish(&staging->hold);
	staging->directory = NULL;
	return true;
}

bool staging_publish(struct diag *diag, struct staging *staging)
{
	return publish(diag, staging, put_in_place);
}

/* Where the file system knows no such rename, one does not replace a directory that has something in it. */
static bool put_where_nothing_is(const struct staging *staging)
{
	if (renameat2(AT_FDCWD, staging->directory, AT_FDCWD, staging->target, RENAME_NOREPLACE) == 0)
		return true;
	return (errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP) && rename(staging->directory, staging->target) == 0;
}

bool staging_publish_new(struct diag *diag, struct staging *staging)
{
	return publish(diag, staging, put_where_nothing_is);
}

void staging_abandon(struct staging *staging)
{
	if (!staging->directory)
		return;
	hold_remove(&staging->hold, staging->directory);
	interrupts_keep(staging->directory);
	staging->directory = NULL;
}

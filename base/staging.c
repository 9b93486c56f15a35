/* SPDX-License-Identifier: MIT */
#include "base/staging.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/interrupts.h"
#include "base/own.h"

#define RANDOM_PART "XXXXXX"

/*
 * Returns the prefix of the names of unfinished siblings of `target`: ".NAME.mvmbuild-";
 * RANDOM_PART follows.
 */
static const char *litter_prefix(struct arena *arena, const char *target)
{
	return arena_printf(arena, ".%s.mvmbuild-", path_base(target));
}

/* An unfinished or replaced directory is litter once nobody holds it. */
void staging_clean(struct arena *arena, const char *target)
{
	target = path_absolute(arena, target);
	const char *parent = path_parent(arena, target), *prefix = litter_prefix(arena, target);
	DIR *stream = opendir(parent);
	if (!stream)
		return;
	for (struct dirent *entry; (entry = readdir(stream));) {
		if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0 ||
			strlen(entry->d_name) != strlen(prefix) + strlen(RANDOM_PART))
			continue;
		struct work_lock lock;
		if (work_lock_seize(dirfd(stream), entry->d_name, &lock))
			work_lock_remove(
				&lock, path_join(arena, parent, entry->d_name), own_remove_litter);
	}
	closedir(stream);
}

/* Signals are held, so that an interrupted program always removes the directory. */
static bool make_doomed(char *directory)
{
	interrupts_hold();
	const bool made = mkdtemp(directory);
	const int error = errno;
	if (made)
		interrupts_remove(directory);
	interrupts_go_on();
	errno = error;
	return made;
}

/* Makes and holds a directory named after `template`; false with errno set. */
static bool make_held(struct arena *arena, const char *template, struct staging *staging)
{
	for (int tries = 0; tries < 1000; tries++) {
		char *directory = arena_strdup(arena, template);
		if (!make_doomed(directory))
			return false;
		staging->directory = directory;
		if (work_lock_take(directory, &staging->lock))
			return true;
		int error = errno;
		staging_abandon(staging);
		errno = error;
		if (error != EAGAIN)
			return false;
	}
	return false;
}

bool staging_begin(
	struct arena *arena, struct diag *diag, const char *target, struct staging *staging)
{
	*staging = (struct staging){
		.arena = arena, .target = path_absolute(arena, target), .lock = {-1, -1}};
	const char *parent = path_parent(arena, staging->target),
		   *prefix = litter_prefix(arena, staging->target);
	staging_clean(arena, target);
	if (make_held(arena,
		    arena_printf(arena, "%s%s" RANDOM_PART, path_join(arena, parent, ""), prefix),
		    staging))
		return true;
	return diag_error(diag, STATUS_FAILED, NULL, "unwritable-output",
		"cannot make a directory in %s: %s", parent, strerror(errno));
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
	errno = 0;
	for (struct dirent *entry; ok && (entry = readdir(stream)); errno = 0)
		ok = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
			visit_at(directory, entry->d_name, visit);
	const int error = errno;
	closedir(stream);
	errno = error;
	ok = ok && error == 0;
	return ok;
}

/* Visits a regular file, or a directory after its contents. Links have no data of their own. */
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

/* Only a hint: a failure does not matter. */
static bool sync_start(int fd)
{
	sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	return true;
}

static bool sync_finish(int fd)
{
	return fsync(fd) == 0;
}

/*
 * Makes a tree durable. Writeback of all files starts before the first one is waited for, so that
 * they share a commit of the file system's journal.
 */
static bool tree_sync(const char *path)
{
	return visit_at(AT_FDCWD, path, sync_start) && visit_at(AT_FDCWD, path, sync_finish);
}

/* ---- publication ---- */

/*
 * Returns an unused name beside the directory. Making a directory first reserves it: only another
 * directory could be renamed over it.
 */
static char *spare_name(const char *directory)
{
	char *spare = require_memory(strdup(directory));
	memcpy(spare + strlen(spare) - strlen(RANDOM_PART), RANDOM_PART, strlen(RANDOM_PART));
	if (mkdtemp(spare) && rmdir(spare) == 0)
		return spare;
	free(spare);
	return NULL;
}

/* For file systems that cannot exchange two names (NFS, 9p): the target is absent for a moment. */
static bool exchange_in_steps(const struct staging *staging)
{
	char *spare = spare_name(staging->directory);
	bool ok = spare && rename(staging->target, spare) == 0;
	if (ok && rename(staging->directory, staging->target) != 0) {
		const int error = errno;
		rename(spare, staging->target);
		errno = error;
		ok = false;
	} else if (ok)
		rename(spare, staging->directory);
	free(spare);
	return ok;
}

/* Whether the file system or the kernel does not support the flags of renameat2. */
static bool is_unknown(int error)
{
	return error == EINVAL || error == ENOSYS || error == EOPNOTSUPP;
}

/* Afterwards the old target is at `directory`. */
static bool exchange(const struct staging *staging)
{
	return renameat2(AT_FDCWD, staging->directory, AT_FDCWD, staging->target,
		       RENAME_EXCHANGE) == 0 ||
		(is_unknown(errno) && exchange_in_steps(staging));
}

static bool put_in_place(const struct staging *staging)
{
	if (renameat2(AT_FDCWD, staging->directory, AT_FDCWD, staging->target, RENAME_NOREPLACE) ==
		0)
		return true;
	/*
	 * Tries the rename without looking first: another machine may just have put something
	 * there.
	 */
	if (is_unknown(errno) && rename(staging->directory, staging->target) == 0)
		return true;
	return (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR) && exchange(staging);
}

/*
 * Without RENAME_NOREPLACE, a plain rename still fails if the target is a directory that is not
 * empty.
 */
static bool put_where_nothing_is(const struct staging *staging)
{
	return renameat2(AT_FDCWD, staging->directory, AT_FDCWD, staging->target,
		       RENAME_NOREPLACE) == 0 ||
		(is_unknown(errno) && rename(staging->directory, staging->target) == 0);
}

/* Makes the new name durable; the contents already are. */
static void sync_parent(const struct staging *staging)
{
	FD_CLEANUP int parent =
		openat(staging->lock.directory, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent >= 0)
		fsync(parent);
}

static bool refuse_foreign(struct diag *diag, const char *target, const char *name)
{
	return diag_error(diag, STATUS_FAILED, NULL, "foreign-file",
		"%s has the file %s, which was not built; nothing is replaced. Move the file away "
		"(is it the volume of a VM that was started there?), or name another output",
		target, name);
}

bool staging_may_replace(struct arena *arena, struct diag *diag, const char *target,
	const char *kind, const char *mark)
{
	struct stat st;
	if (!path_exists(target) || directory_is_empty(target))
		return true;
	const bool has_mark = path_exists(path_join(arena, target, mark));
	/* A link to a runner is not a runner, and its owner may want either to be replaced. */
	if (lstat(target, &st) == 0 && S_ISLNK(st.st_mode) && has_mark)
		return diag_error(diag, STATUS_FAILED, NULL, "output-exists",
			"%s is a link to a %s, and a build does not replace links; use %s as the "
			"output, or remove the link",
			target, kind, path_real(arena, target));
	if (lstat(target, &st) != 0 || !S_ISDIR(st.st_mode) || !has_mark)
		return diag_error(diag, STATUS_FAILED, NULL, "output-exists",
			"%s exists and is not a %s; it is left unchanged", target, kind);
	const char *foreign = own_find_foreign(arena, target);
	return !foreign || refuse_foreign(diag, target, foreign);
}

/*
 * Undoes the exchange if a foreign file was added to the old directory meanwhile. None is added by
 * that name from now on.
 */
static bool is_replaced(const struct staging *staging, struct diag *diag)
{
	const char *foreign =
		staging->listed ? own_find_foreign(staging->arena, staging->directory) : NULL;
	if (!foreign)
		return true;
	if (exchange(staging))
		return refuse_foreign(diag, staging->target, foreign);
	diag_warning(diag, NULL, "foreign-file", "the file %s, which was not built, is now in %s",
		foreign, staging->directory);
	return true;
}

/* A signal sees all of these steps or none. */
static bool put_and_record(
	struct diag *diag, const struct staging *staging, bool (*put)(const struct staging *))
{
	interrupts_hold();
	bool placed = put(staging) ||
		diag_error(diag, STATUS_FAILED, NULL, "unwritable-output", "cannot publish %s: %s",
			staging->target, strerror(errno));
	placed = placed && is_replaced(staging, diag);
	if (placed && !staging->aside && !interrupts_would_remove(staging->target))
		interrupts_report(arena_printf(staging->arena, "%s is complete", staging->target));
	interrupts_go_on();
	return placed;
}

static bool prepare(struct diag *diag, const struct staging *staging)
{
	if (staging->listed && !own_list_write(staging->arena, diag, staging->directory))
		return false;
	return staging->unsynced || tree_sync(staging->directory) ||
		diag_error(diag, STATUS_FAILED, NULL, "unwritable-output",
			"cannot write %s to the disk: %s", staging->directory, strerror(errno));
}

/* A directory that becomes a part of another unfinished one gets no seal; the outer one does. */
static void seal(const struct staging *staging)
{
	if (staging->listed && !interrupts_would_remove(staging->target))
		own_seal(staging->arena, staging->target, !staging->unsynced);
}

static bool publish(struct diag *diag, struct staging *staging, bool (*put)(const struct staging *))
{
	if (!prepare(diag, staging) || !put_and_record(diag, staging, put)) {
		staging_abandon(staging);
		return false;
	}
	if (!staging->unsynced)
		sync_parent(staging);
	/*
	 * The old contents, if any. If they cannot be removed they are litter, and the next build
	 * tries again.
	 */
	(staging->listed ? own_remove_litter : tree_remove)(staging->directory);
	interrupts_keep(staging->directory);
	work_lock_finish(&staging->lock);
	seal(staging);
	staging->directory = NULL;
	return true;
}

bool staging_publish(struct diag *diag, struct staging *staging)
{
	return publish(diag, staging, put_in_place);
}

bool staging_publish_new(struct diag *diag, struct staging *staging)
{
	return publish(diag, staging, put_where_nothing_is);
}

void staging_abandon(struct staging *staging)
{
	if (!staging->directory)
		return;
	work_lock_remove(&staging->lock, staging->directory, tree_remove);
	interrupts_keep(staging->directory);
	staging->directory = NULL;
}

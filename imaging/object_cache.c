/* SPDX-License-Identifier: MIT */
#include "imaging/object_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "compiler/base/arena.h"
#include "compiler/base/file.h"

enum { TOUCH_SECONDS = 24 * 60 * 60 };

struct object_cache {
	struct arena *arena;
	const char *where;    /* the directory, or the scratch directory */
	const char *settings;
	bool keeps;
	int objects, temporary; /* directories; `objects` is -1 when nothing is kept */
	uint64_t boot;
	unsigned serial;      /* of the last temporary name */
};

/* What others may write to could hold blocks of their choice. */
static bool is_ours_alone(struct diag *diag, int directory, const char *path)
{
	struct stat st;
	if (fstat(directory, &st) != 0)
		return diag_error(diag, STATUS_FAILED, NULL, "unusable-cache", "cannot examine %s: %s", path, strerror(errno));
	if (st.st_uid != geteuid())
		return diag_error(diag, STATUS_FAILED, NULL, "unusable-cache",
				  "the cache directory %s belongs to user %u and not to user %u, who builds", path, (unsigned)st.st_uid,
				  (unsigned)geteuid());
	if (st.st_mode & 022)
		return diag_error(diag, STATUS_FAILED, NULL, "unusable-cache",
				  "the cache directory %s can be written to by others (mode %04o); it should have mode 0700", path,
				  (unsigned)st.st_mode & 07777);
	return true;
}

static int open_directory(struct diag *diag, int parent, const char *name, const char *path)
{
	int fd = -1;
	if (mkdirat(parent, name, 0700) == 0 || errno == EEXIST)
		fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		diag_error(diag, STATUS_FAILED, NULL, "unusable-cache", "cannot make the cache directory %s: %s", path, strerror(errno));
	else if (!is_ours_alone(diag, fd, path))
		fd_close(&fd);
	return fd;
}

/* A temporary file is litter when its writer does not hold its lock any more. */
static void remove_litter(int directory)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	if (!stream) {
		fd_close(&fd);
		return;
	}
	for (const struct dirent *entry; (entry = readdir(stream));) {
		FD_CLEANUP int file = openat(directory, entry->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (file >= 0 && flock(file, LOCK_EX | LOCK_NB) == 0)
			unlinkat(directory, entry->d_name, 0); /* "." and ".." refuse */
	}
	closedir(stream);
}

static bool open_kept(struct object_cache *cache, struct diag *diag, const char *directory)
{
	if (!directory_make(diag, path_parent(cache->arena, directory), 0755))
		return false;
	FD_CLEANUP int top = open_directory(diag, AT_FDCWD, directory, directory);
	if (top < 0)
		return false;
	cache->temporary = open_directory(diag, top, "tmp", path_join(cache->arena, directory, "tmp"));
	if (cache->temporary < 0)
		return false;
	cache->objects = open_directory(diag, top, cache->settings, path_join(cache->arena, directory, cache->settings));
	if (cache->objects < 0)
		return false;
	remove_litter(cache->temporary);
	return true;
}

static bool open_scratch(struct object_cache *cache, struct diag *diag, const char *scratch)
{
	cache->temporary = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return cache->temporary >= 0 ||
	       diag_error(diag, STATUS_FAILED, NULL, "unusable-cache", "cannot open the directory %s: %s", scratch, strerror(errno));
}

struct object_cache *cache_open(struct diag *diag, const char *directory, const char *scratch, const char *settings)
{
	struct arena *arena = arena_new();
	struct object_cache *cache = arena_alloc(arena, sizeof *cache);
	*cache = (struct object_cache){.arena = arena,
				       .where = arena_strdup(arena, directory ? directory : scratch),
				       .settings = arena_strdup(arena, settings),
				       .keeps = directory,
				       .objects = -1,
				       .temporary = -1,
				       .boot = object_boot()};
	if (directory ? open_kept(cache, diag, directory) : open_scratch(cache, diag, scratch))
		return cache;
	cache_close(cache);
	return NULL;
}

void cache_close(struct object_cache *cache)
{
	if (!cache)
		return;
	fd_close(&cache->objects);
	fd_close(&cache->temporary);
	arena_free(cache->arena);
}

struct object_identity cache_identity(const struct object_cache *cache, const struct store_path *path)
{
	return (struct object_identity){
		.name = path->name, .settings = cache->settings, .nar_hash = path->nar_hash, .boot = cache->boot};
}

/* Lets those who clean up see which objects are in use; once a day is enough. */
static void touch(int fd)
{
	struct stat st;
	if (fstat(fd, &st) == 0 && st.st_mtime + TOUCH_SECONDS < time(NULL))
		futimens(fd, NULL);
}

bool cache_find(const struct object_cache *cache, const struct object_identity *identity, struct object *out)
{
	if (!cache->keeps)
		return false;
	int fd = openat(cache->objects, identity->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || !object_open(fd, identity, out))
		return false;
	touch(out->fd);
	return true;
}

void cache_peek(const char *directory, const char *settings, const struct closure *closure, int64_t *stored)
{
	FD_CLEANUP int top = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FD_CLEANUP int objects = top < 0 ? -1 : openat(top, settings, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; objects >= 0 && i < closure->n; i++) {
		const struct object_identity identity = {.name = closure->v[i].name, .settings = settings, .nar_hash = closure->v[i].nar_hash};
		FD_CLEANUP int fd = openat(objects, identity.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		struct object_footer footer;
		if (fd >= 0 && object_read_footer(fd, &identity, &footer))
			stored[i] = (int64_t)footer.data_bytes;
	}
}

/* Between the creation and the lock, another build may take the new file for litter: then it holds the lock, or the file has no name any more. */
static bool lock_new(int fd)
{
	struct stat st;
	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		return errno != EWOULDBLOCK; /* without locks nobody takes it for litter either */
	return fstat(fd, &st) == 0 && st.st_nlink > 0;
}

bool cache_create(struct object_cache *cache, struct diag *diag, struct cache_entry *out)
{
	*out = (struct cache_entry){.fd = -1, .where = cache->where};
	for (;;) {
		snprintf(out->name, sizeof out->name, "%s%ld-%u", cache->keeps ? "" : ".object-", (long)getpid(), cache->serial++);
		out->fd = openat(cache->temporary, out->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (out->fd < 0 && errno == EEXIST)
			continue;
		if (out->fd < 0)
			return diag_error(diag, STATUS_FAILED, NULL, "unwritable-file", "cannot create a file in %s: %s", cache->where,
					  strerror(errno));
		if (!cache->keeps) {
			cache_discard(cache, out);
			return true;
		}
		if (lock_new(out->fd))
			return true;
		cache_discard(cache, out);
		fd_close(&out->fd);
	}
}

bool cache_publish(struct object_cache *cache, struct diag *diag, struct cache_entry *entry, const char *name)
{
	if (!cache->keeps)
		return true;
	/* ENOENT: somebody emptied the cache meanwhile. This build still has the file. */
	if (renameat(cache->temporary, entry->name, cache->objects, name) != 0 && errno != ENOENT)
		return diag_error(diag, STATUS_FAILED, NULL, "unwritable-file", "cannot put %s into the cache %s: %s", name, cache->where,
				  strerror(errno));
	entry->name[0] = '\0';
	return true;
}

void cache_discard(struct object_cache *cache, struct cache_entry *entry)
{
	if (entry->name[0])
		unlinkat(cache->temporary, entry->name, 0);
	entry->name[0] = '\0';
}

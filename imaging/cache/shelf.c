/* SPDX-License-Identifier: MIT */
#include "imaging/cache/shelf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

enum { TOUCH_SECONDS = 24 * 60 * 60 };

/* Maps the errno of open: ELOOP is a link, which is not followed, ENXIO a socket. */
static enum object_fault fault_of(int error)
{
	if (error == ENOENT)
		return OBJECT_FAULTLESS;
	return error == ELOOP || error == ENXIO ? OBJECT_MISPLACED : OBJECT_UNREADABLE;
}

/*
 * Opens a trusted regular file; -1 otherwise, without a fault if it is missing or another user's.
 */
static int open_file(const struct shelf *shelf, int directory, const char *name, int how,
	struct stat *st, enum object_fault *fault)
{
	int fd = openat(directory, name, how | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	*fault = fd >= 0 ? OBJECT_FAULTLESS : fault_of(errno);
	if (fd < 0)
		return fd;
	if (fstat(fd, st) != 0)
		*fault = OBJECT_UNREADABLE;
	else if (!S_ISREG(st->st_mode))
		*fault = OBJECT_MISPLACED;
	if (*fault != OBJECT_FAULTLESS ||
		(shelf->owners && !cache_file_is_trusted(st, shelf->owners)))
		fd_close(&fd);
	return fd;
}

/* Opens our own bundle for writing its days, if permissions allow it. */
static int open_bundle(const struct shelf *shelf, const char *name, enum object_fault *fault)
{
	struct stat st;
	int fd = shelf->owners ? -1 : open_file(shelf, shelf->bundles, name, O_RDWR, &st, fault);
	return fd >= 0 ? fd : open_file(shelf, shelf->bundles, name, O_RDONLY, &st, fault);
}

static void read_bundle(struct shelf *shelf, const char *name)
{
	struct bundle bundle;
	enum object_fault fault;
	int fd = open_bundle(shelf, name, &fault);
	if (fd >= 0 && bundle_open(fd, shelf->settings, &bundle)) {
		strcpy(bundle.name, name);
		vec_push(shelf->arena, &shelf->v, bundle);
	} else if ((fd >= 0 || fault != OBJECT_FAULTLESS) && bundle_is_name(name)) {
		vec_push(shelf->arena, &shelf->broken, name);
	}
}

static void read_bundles(struct shelf *shelf)
{
	struct strings names = {0};
	int fd = openat(shelf->bundles, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	if (!stream)
		fd_close(&fd);
	for (const struct dirent *entry; stream && (entry = readdir(stream));)
		if (entry->d_name[0] != '.' &&
			strlen(entry->d_name) < sizeof((struct bundle *)0)->name)
			vec_push(shelf->arena, &names, arena_strdup(shelf->arena, entry->d_name));
	if (stream)
		closedir(stream);
	if (names.n)
		qsort(names.v, names.n, sizeof *names.v, strings_compare);
	for (size_t i = 0; i < names.n; i++)
		read_bundle(shelf, names.v[i]);
}

bool shelf_open(struct diag *diag, const char *path, int objects, const char *settings,
	const struct cache_owners *owners, struct shelf *out)
{
	*out = (struct shelf){.objects = objects,
		.bundles = -1,
		.settings = settings,
		.owners = owners,
		.arena = arena_new()};
	out->path = arena_strdup(out->arena, path);
	if (objects < 0)
		return true;
	out->bundles =
		openat(objects, CACHE_BUNDLES, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	const struct cache_owners nobody_else = {0};
	const char *below = path_join(out->arena, path, CACHE_BUNDLES);
	if (!cache_is_trusted(diag, objects, path, owners ? owners : &nobody_else) ||
		(out->bundles >= 0 &&
			!cache_is_trusted(
				diag, out->bundles, below, owners ? owners : &nobody_else)))
		return false;
	if (out->bundles >= 0)
		read_bundles(out);
	return true;
}

bool shelf_open_foreign(struct diag *diag, const char *cache, const char *settings,
	const struct cache_owners *owners, struct shelf *out)
{
	static const struct cache_owners everyone = {.everyone = true};
	*out = (struct shelf){.objects = -1, .bundles = -1};
	/* Root's files belong to nobody in the user namespace of Nix's sandbox. */
	if (cache_is_in_nix_store(cache))
		owners = &everyone;
	FD_CLEANUP int top = open(cache, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (top < 0)
		return diag_error(diag, STATUS_FAILED, NULL, "unusable-cache",
			"cannot open the cache %s: %s", cache, strerror(errno));
	if (!cache_is_trusted(diag, top, cache, owners))
		return false;
	int objects = openat(top, settings, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct arena *arena = arena_new();
	const bool ok =
		shelf_open(diag, path_join(arena, cache, settings), objects, settings, owners, out);
	arena_free(arena);
	return ok;
}

void shelf_advise(const struct shelf *shelf, size_t lookups)
{
	for (size_t i = 0; i < shelf->v.n; i++)
		if (shelf->v.v[i].header.count / 8 < lookups)
			posix_fadvise(shelf->v.v[i].fd, 0, (off_t)shelf->v.v[i].header.entries,
				POSIX_FADV_WILLNEED);
}

void shelf_close(struct shelf *shelf)
{
	for (size_t i = 0; i < shelf->v.n; i++) {
		if (!shelf->owners)
			bundle_write_days(&shelf->v.v[i]);
		bundle_close(&shelf->v.v[i]);
	}
	fd_close(&shelf->bundles);
	fd_close(&shelf->objects);
	if (shelf->arena)
		arena_free(shelf->arena);
	shelf->arena = NULL;
}

/* Shows the garbage collector that the object is in use; once a day is enough. */
static void touch(int fd, const struct stat *st)
{
	if (st->st_mtime + TOUCH_SECONDS < time(NULL))
		futimens(fd, NULL);
}

/*
 * Keeps the file if another build has replaced it meanwhile. If it is replaced just now, it is
 * packed once more.
 */
static void discard(const struct shelf *shelf, const char *name, const struct stat *damaged)
{
	struct stat st;
	if (fstatat(shelf->objects, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		st.st_ino == damaged->st_ino && st.st_dev == damaged->st_dev)
		unlinkat(shelf->objects, name, 0);
}

static bool find_file(const struct shelf *shelf, const struct object_identity *identity,
	bool discards, struct object *out)
{
	struct stat st;
	enum object_fault fault = OBJECT_FAULTLESS;
	int fd = shelf->objects < 0
		? -1
		: open_file(shelf, shelf->objects, identity->name, O_RDONLY, &st, &fault);
	*out = (struct object){.fd = -1, .fault = fault};
	if (fd < 0)
		return false;
	const bool sound = object_open(fd, &st, identity, out);
	if (sound && !shelf->owners)
		touch(out->fd, &st);
	if (!sound && out->fault == OBJECT_DAMAGED && discards && !shelf->owners)
		discard(shelf, identity->name, &st);
	return sound;
}

bool shelf_find(const struct shelf *shelf, const struct object_identity *identity, bool discards,
	struct object *out, struct shelf_fault *fault)
{
	*fault = (struct shelf_fault){.fault = OBJECT_FAULTLESS};
	for (size_t i = 0; i < shelf->v.n; i++) {
		if (bundle_find(&shelf->v.v[i], identity, out))
			return true;
		if (out->fault > OBJECT_OTHER)
			*fault = (struct shelf_fault){out->fault, errno, shelf->v.v[i].name};
	}
	if (find_file(shelf, identity, discards, out))
		return true;
	if (out->fault > OBJECT_OTHER)
		*fault = (struct shelf_fault){out->fault, errno, NULL};
	return false;
}

bool shelf_peek(const struct shelf *shelf, const struct object_identity *identity,
	struct object_footer *footer)
{
	struct stat st;
	for (size_t i = 0; i < shelf->v.n; i++)
		if (bundle_peek(&shelf->v.v[i], identity, footer))
			return true;
	enum object_fault fault;
	FD_CLEANUP int fd = shelf->objects < 0
		? -1
		: open_file(shelf, shelf->objects, identity->name, O_RDONLY, &st, &fault);
	return fd >= 0 && object_read_footer(fd, (uint64_t)st.st_size, identity, footer);
}

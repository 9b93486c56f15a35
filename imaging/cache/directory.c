/* SPDX-License-Identifier: MIT */
#include "imaging/cache/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/network_fs.h"

static const char uses_prefix[] = "uses-";

enum { ASIDE_MAX = 100 };

/* ---- trusted owners ---- */

/* Anyone who can write to the cache could plant blocks. */
static bool is_ours_alone(struct diag *diag, int directory, const char *path)
{
	struct stat st;
	if (fstat(directory, &st) != 0)
		return diag_error(diag, STATUS_FAILED, NULL, "unusable-cache",
			"cannot examine %s: %s", path, strerror(errno));
	if (st.st_uid != geteuid())
		return diag_error(diag, STATUS_FAILED, NULL, "unusable-cache",
			"the cache directory %s belongs to user %u, but user %u runs the build%s",
			path, (unsigned)st.st_uid, (unsigned)geteuid(),
			geteuid() == 0 && fd_is_remote(directory)
				? "; its server may give root's files to that user (root_squash)"
				: "");
	if (st.st_mode & 022)
		return diag_error(diag, STATUS_FAILED, NULL, "unusable-cache",
			"the cache directory %s is writable by others (mode %04o); change its mode "
			"to 0700",
			path, (unsigned)st.st_mode & 07777);
	return true;
}

static bool is_trusted(uid_t uid, const struct cache_owners *owners)
{
	bool found = owners->everyone || uid == 0 || uid == geteuid();
	for (size_t i = 0; i < owners->n; i++)
		found |= owners->v[i] == uid;
	return found;
}

bool cache_file_is_trusted(const struct stat *st, const struct cache_owners *owners)
{
	return !(st->st_mode & 022) && is_trusted(st->st_uid, owners);
}

bool cache_is_in_nix_store(const char *path)
{
	const char *store = getenv("NIX_STORE");
	if (!store || store[0] != '/')
		return false;
	char *real = realpath(path, NULL), *real_store = realpath(store, NULL);
	const size_t n = real_store ? strlen(real_store) : 0;
	const bool inside = real && n > 1 && strncmp(real, real_store, n) == 0 && real[n] == '/';
	free(real);
	free(real_store);
	return inside;
}

bool cache_is_trusted(
	struct diag *diag, int directory, const char *path, const struct cache_owners *owners)
{
	struct stat st;
	if (fstat(directory, &st) != 0)
		return diag_error(diag, STATUS_FAILED, NULL, "unusable-cache",
			"cannot examine %s: %s", path, strerror(errno));
	if (!is_trusted(st.st_uid, owners))
		return diag_error(diag, STATUS_FAILED, NULL, "unusable-cache",
			"the shared cache directory %s belongs to user %u, who could write "
			"anything there; give --cache-owner %u to trust this user",
			path, (unsigned)st.st_uid, (unsigned)st.st_uid);
	return !(st.st_mode & 022) ||
		diag_error(diag, STATUS_FAILED, NULL, "unusable-cache",
			"the shared cache directory %s is writable by others (mode %04o)", path,
			(unsigned)st.st_mode & 07777);
}

/* ---- misplaced files ---- */

static bool put_aside(int directory, const char *name)
{
	char aside[NAME_MAX + 1];
	for (int i = 0; i < ASIDE_MAX; i++) {
		struct stat st;
		if (snprintf(aside, sizeof aside, "%s.aside-%d", name, i) >= (int)sizeof aside)
			break;
		if (fstatat(directory, aside, &st, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT)
			return renameat(directory, name, directory, aside) == 0;
	}
	errno = ENAMETOOLONG;
	return false;
}

bool cache_make_way(int directory, const char *name)
{
	struct stat st;
	if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT;
	if (S_ISDIR(st.st_mode))
		return unlinkat(directory, name, AT_REMOVEDIR) == 0 ||
			((errno == ENOTEMPTY || errno == EEXIST) && put_aside(directory, name));
	return S_ISREG(st.st_mode) && st.st_size > 0 ? put_aside(directory, name)
						     : unlinkat(directory, name, 0) == 0;
}

bool cache_remove(int directory, const char *name)
{
	return unlinkat(directory, name, 0) == 0 || cache_make_way(directory, name);
}

bool cache_rename(
	const struct cache_directory *directory, const char *temporary, int into, const char *name)
{
	if (renameat(directory->temporary, temporary, into, name) == 0)
		return true;
	return (errno == EISDIR || errno == ENOTEMPTY || errno == EEXIST) &&
		cache_make_way(into, name) &&
		renameat(directory->temporary, temporary, into, name) == 0;
}

/* ---- opening ---- */

static bool cannot_make(struct diag *diag, const char *path)
{
	return diag_error(diag, STATUS_FAILED, NULL, "unusable-cache",
		"cannot make the cache directory %s: %s", path, strerror(errno));
}

static int open_directory(int parent, const char *name)
{
	return openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Moves away anything that is not a directory or a link to one. */
static int make_directory(const struct cache_directory *directory, int parent, const char *name)
{
	int fd = -1;
	for (int tries = 0; fd < 0 && tries < 2; tries++) {
		if (mkdirat(parent, name, 0700 | directory->share) != 0 && errno != EEXIST)
			break;
		fd = open_directory(parent, name);
		if (fd < 0 &&
			((errno != ENOTDIR && errno != ENOENT && errno != ELOOP) ||
				!cache_make_way(parent, name)))
			break;
	}
	return fd;
}

int cache_directory_below(struct diag *diag, const struct cache_directory *directory, int parent,
	const char *name, const char *path)
{
	int fd = make_directory(directory, parent, name);
	if (fd < 0)
		cannot_make(diag, path);
	else if (!is_ours_alone(diag, fd, path))
		fd_close(&fd);
	return fd;
}

/*
 * Whether cache_temporary_create made the name: PREFIX, process, dash, number. Other files in a
 * directory that is called tmp may be the user's.
 */
static bool is_temporary(const char *name)
{
	static const char *const prefixes[] = {"", "bundle-", "uses-"};
	static const char digits[] = "0123456789";
	for (size_t i = 0; i < countof(prefixes); i++) {
		const size_t n = strlen(prefixes[i]),
			     process = strncmp(name, prefixes[i], n) == 0 ? strspn(name + n, digits)
									  : 0;
		if (process && name[n + process] == '-' && name[n + process + 1] &&
			!name[n + process + 1 + strspn(name + n + process + 1, digits)])
			return true;
	}
	return false;
}

/*
 * A temporary file whose writer does not hold its lock any more is litter. On NFS an exclusive lock
 * needs a writable descriptor.
 */
static void remove_litter(int directory)
{
	int fd = open_directory(directory, ".");
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	if (!stream) {
		fd_close(&fd);
		return;
	}
	for (const struct dirent *entry; (entry = readdir(stream));) {
		if (!is_temporary(entry->d_name))
			continue;
		FD_CLEANUP int file = openat(
			directory, entry->d_name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (file >= 0 && flock(file, LOCK_EX | LOCK_NB) == 0)
			unlinkat(directory, entry->d_name, 0);
	}
	closedir(stream);
}

static int open_lock(int top)
{
	int fd = -1;
	for (int tries = 0; fd < 0 && tries < 2; tries++) {
		struct stat st;
		fd = openat(top, CACHE_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
			0600);
		if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
			break;
		const bool misplaced =
			fd >= 0 || errno == EISDIR || errno == ELOOP || errno == ENXIO;
		fd_close(&fd);
		if (!misplaced || !cache_make_way(top, CACHE_LOCK))
			break;
	}
	return fd;
}

static bool open_inside(struct diag *diag, struct cache_directory *directory)
{
	struct stat st;
	if (!is_ours_alone(diag, directory->top, directory->path) ||
		fstat(directory->top, &st) != 0)
		return false;
	directory->share = st.st_mode & 0055;
	directory->remote = fd_is_remote(directory->top);
	struct arena *arena = arena_new();
	directory->temporary = cache_directory_below(diag, directory, directory->top,
		CACHE_TEMPORARY, path_join(arena, directory->path, CACHE_TEMPORARY));
	arena_free(arena);
	if (directory->temporary < 0)
		return false;
	directory->lock = open_lock(directory->top);
	remove_litter(directory->temporary);
	return true;
}

bool cache_directory_open(struct diag *diag, const char *path, struct cache_directory *out)
{
	*out = (struct cache_directory){
		.path = path, .top = open_directory(AT_FDCWD, path), .temporary = -1, .lock = -1};
	if (out->top < 0)
		return diag_error(diag, STATUS_FAILED, NULL, "unusable-cache",
			"cannot open the cache directory %s: %s", path, strerror(errno));
	return open_inside(diag, out);
}

bool cache_directory_make(struct diag *diag, const char *path, struct cache_directory *out)
{
	struct arena *arena = arena_new();
	*out = (struct cache_directory){.path = path, .top = -1, .temporary = -1, .lock = -1};
	bool ok = directory_make(diag, path_parent(arena, path), 0755);
	arena_free(arena);
	if (ok && (mkdir(path, 0700) == 0 || errno == EEXIST))
		out->top = open_directory(AT_FDCWD, path);
	return ok && (out->top >= 0 || cannot_make(diag, path)) && open_inside(diag, out);
}

void cache_directory_close(struct cache_directory *directory)
{
	fd_close(&directory->top);
	fd_close(&directory->temporary);
	fd_close(&directory->lock);
}

/* ---- locks ---- */

bool cache_lock(const struct cache_directory *directory, int operation)
{
	int status;
	do
		status = directory->lock < 0 ? -1 : flock(directory->lock, operation);
	while (status != 0 && errno == EINTR && directory->lock >= 0);
	return status == 0;
}

void cache_unlock(const struct cache_directory *directory)
{
	if (directory->lock >= 0)
		flock(directory->lock, LOCK_UN);
}

/*
 * Between its creation and its lock, another process may take the new file for litter: then it
 * holds the lock, or the file has no name any more.
 */
static bool lock_new(int fd)
{
	struct stat st;
	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		return errno != EWOULDBLOCK; /* without locks, nobody takes it for litter either */
	return fstat(fd, &st) == 0 && st.st_nlink > 0;
}

int cache_temporary_create(const struct cache_directory *directory, const char *prefix,
	unsigned *serial, char name[static 32])
{
	for (;;) {
		snprintf(name, 32, "%s%ld-%u", prefix, (long)getpid(), (*serial)++);
		int fd = openat(directory->temporary, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
			0600 | (directory->share & 0044));
		if (fd < 0 && errno == EEXIST)
			continue;
		if (fd < 0 || lock_new(fd))
			return fd;
		unlinkat(directory->temporary, name, 0);
		fd_close(&fd);
	}
}

/* ---- objects that running builds need ---- */

int cache_uses_write(const struct cache_directory *directory, const uint64_t *name_hashes, size_t n,
	char name[static 32])
{
	unsigned serial = 0;
	int fd = cache_temporary_create(directory, uses_prefix, &serial, name);
	if (fd >= 0 &&
		(!fd_write_all(fd, name_hashes, n * sizeof *name_hashes, 0) ||
			(directory->remote && fsync(fd) != 0))) {
		unlinkat(directory->temporary, name, 0);
		fd_close(&fd);
	}
	return fd;
}

/* A record that is not locked was left by a killed build. */
static void read_uses_of(int directory, const char *name, struct buf *all)
{
	struct stat st;
	FD_CLEANUP int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) == 0 || fstat(fd, &st) != 0 || st.st_size <= 0)
		return;
	const size_t bytes = (size_t)st.st_size / sizeof(uint64_t) * sizeof(uint64_t);
	char *part = require_memory(malloc(bytes + 1));
	if (fd_read_all(fd, part, bytes, 0))
		buf_add(all, part, bytes);
	free(part);
}

static int hash_compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

void cache_uses_read(const struct cache_directory *directory, struct cache_uses *out)
{
	struct buf all = {0};
	int fd = open_directory(directory->temporary, ".");
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	if (!stream)
		fd_close(&fd);
	for (const struct dirent *entry; stream && (entry = readdir(stream));)
		if (strncmp(entry->d_name, uses_prefix, strlen(uses_prefix)) == 0)
			read_uses_of(directory->temporary, entry->d_name, &all);
	if (stream)
		closedir(stream);
	*out = (struct cache_uses){(void *)all.p, all.n / sizeof(uint64_t)};
	if (out->n)
		qsort(out->v, out->n, sizeof *out->v, hash_compare);
}

bool cache_uses_has(const struct cache_uses *uses, uint64_t name_hash)
{
	return uses->n && bsearch(&name_hash, uses->v, uses->n, sizeof *uses->v, hash_compare);
}

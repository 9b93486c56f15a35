/* SPDX-License-Identifier: MIT */
#include "imaging/cache/scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

enum { HASH_DIGITS = 32 };

/*
 * NFS renames a file that is removed while open on this machine to ".nfs" and hex digits, and
 * removes it when it is closed.
 */
static bool is_removed(const char *name)
{
	return strncmp(name, ".nfs", 4) == 0 && name[4] &&
		!name[4 + strspn(name + 4, "0123456789abcdef")];
}

/* Returns the names in a directory, sorted. */
static struct strings list(struct arena *arena, int directory)
{
	struct strings names = {0};
	int fd = directory < 0 ? -1 : openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	if (!stream)
		fd_close(&fd);
	for (const struct dirent *entry; stream && (entry = readdir(stream));)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
			!is_removed(entry->d_name))
			vec_push(arena, &names, arena_strdup(arena, entry->d_name));
	if (stream)
		closedir(stream);
	if (names.n)
		qsort(names.v, names.n, sizeof *names.v, strings_compare);
	return names;
}

/* A store path's name: 32 digits of Nix's base 32, a dash, a name. */
static bool is_object_name(const char *name)
{
	return strspn(name, "0123456789abcdfghijklmnpqrsvwxyz") == HASH_DIGITS &&
		name[HASH_DIGITS] == '-' && name[HASH_DIGITS + 1];
}

static bool is_settings_name(const char *name)
{
	return strncmp(name, "squashfs-", strlen("squashfs-")) == 0 ||
		strncmp(name, "erofs-", strlen("erofs-")) == 0;
}

static bool is_regular(int directory, const char *name, struct stat *st)
{
	return fstatat(directory, name, st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st->st_mode);
}

static void add_bundle(struct cache_scan *scan, size_t index, size_t bundle)
{
	const struct bundle *b = &scan->shelves.v[index].shelf.v.v[bundle];
	char *names = bundle_names(b);
	for (size_t i = 0; i < b->header.count; i++)
		vec_push(scan->arena, &scan->objects,
			(struct cache_object){.name = names
					? arena_strdup(scan->arena, names + b->entries[i].name)
					: NULL,
				.name_hash = b->entries[i].name_hash,
				.bytes = b->entries[i].bytes,
				.used = (int64_t)b->days[i] * CACHE_USE_SECONDS,
				.shelf = index,
				.bundle = bundle,
				.entry = i});
	free(names);
}

/*
 * Lists the bundle as broken, unless it is an intact one that appeared after the others were
 * opened.
 */
static void note_broken(struct cache_scan *scan, struct cache_shelf *shelf, const char *name)
{
	struct bundle bundle;
	int fd = openat(shelf->shelf.bundles, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || !bundle_open(fd, shelf->settings, &bundle))
		vec_push(scan->arena, &shelf->broken, name);
	else
		bundle_close(&bundle);
}

/* Examines the files in .bundles that were not opened as bundles. */
static void scan_bundles(struct cache_scan *scan, struct cache_shelf *shelf)
{
	const struct strings names = list(scan->arena, shelf->shelf.bundles);
	size_t opened = 0;
	for (size_t i = 0; i < names.n; i++) {
		struct stat st;
		if (opened < shelf->shelf.v.n &&
			strcmp(shelf->shelf.v.v[opened].name, names.v[i]) == 0)
			opened++;
		else if (bundle_is_name(names.v[i]) &&
			is_regular(shelf->shelf.bundles, names.v[i], &st))
			note_broken(scan, shelf, names.v[i]);
		else
			vec_push(scan->arena, &scan->unknown,
				arena_printf(scan->arena, "%s/" CACHE_BUNDLES "/%s", shelf->path,
					names.v[i]));
	}
}

static void scan_objects(struct cache_scan *scan, size_t index)
{
	const struct cache_shelf *shelf = &scan->shelves.v[index];
	const struct strings names = list(scan->arena, shelf->shelf.objects);
	for (size_t i = 0; i < names.n; i++) {
		struct stat st;
		const struct object_identity identity = {
			.name = names.v[i], .settings = shelf->settings};
		if (strcmp(names.v[i], CACHE_BUNDLES) == 0 && shelf->shelf.bundles >= 0)
			continue;
		if (is_object_name(names.v[i]) && is_regular(shelf->shelf.objects, names.v[i], &st))
			vec_push(scan->arena, &scan->objects,
				(struct cache_object){names.v[i], object_name_hash(&identity),
					(uint64_t)st.st_size, st.st_mtime, index, SIZE_MAX,
					SIZE_MAX});
		else
			vec_push(scan->arena, &scan->unknown,
				path_join(scan->arena, shelf->path, names.v[i]));
	}
}

static bool scan_shelf(
	struct cache_scan *scan, struct diag *diag, int fd, const char *cache, const char *settings)
{
	struct cache_shelf shelf = {
		.settings = settings, .path = path_join(scan->arena, cache, settings)};
	const bool ok = shelf_open(diag, shelf.path, fd, settings, &scan->owners, &shelf.shelf);
	const size_t index = scan->shelves.n;
	if (ok)
		scan_bundles(scan, &shelf);
	vec_push(scan->arena, &scan->shelves, shelf);
	if (!ok)
		return false;
	scan_objects(scan, index);
	for (size_t i = 0; i < shelf.shelf.v.n; i++)
		add_bundle(scan, index, i);
	return true;
}

static bool is_own_file(const char *name)
{
	return strcmp(name, CACHE_TEMPORARY) == 0 || strcmp(name, CACHE_LOCK) == 0;
}

bool cache_check_kind(struct arena *arena, struct diag *diag, const char *path)
{
	FD_CLEANUP int top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (top < 0)
		return true; /* it is reported when it is used */
	const struct strings names = list(arena, top);
	for (size_t i = 0; i < names.n; i++)
		if (is_own_file(names.v[i]) || is_settings_name(names.v[i]))
			return true;
	return names.n == 0 ||
		diag_error(diag, STATUS_FAILED, NULL, "unusable-cache",
			"%s is not a cache: it has files, but none that mvmbuild wrote", path);
}

bool cache_scan(struct arena *arena, struct diag *diag, const char *path, struct cache_scan *out)
{
	struct stat st;
	*out = (struct cache_scan){.arena = arena};
	FD_CLEANUP int top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (top < 0 || fstat(top, &st) != 0)
		return diag_error(diag, STATUS_FAILED, NULL, "unusable-cache",
			"cannot open the cache directory %s: %s", path, strerror(errno));
	uid_t *owner = arena_alloc(arena, sizeof *owner);
	*owner = st.st_uid;
	out->owners = (struct cache_owners){.v = owner, .n = 1};
	bool ok = cache_check_kind(arena, diag, path) &&
		cache_is_trusted(diag, top, path, &out->owners);
	const struct strings names = list(arena, top);
	for (size_t i = 0; ok && i < names.n; i++) {
		int fd = is_settings_name(names.v[i])
			? openat(top, names.v[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
			: -1;
		if (fd >= 0)
			ok = scan_shelf(out, diag, fd, path, names.v[i]);
		else if (!is_own_file(names.v[i]))
			vec_push(arena, &out->unknown, path_join(arena, path, names.v[i]));
	}
	return ok;
}

void cache_scan_end(struct cache_scan *scan)
{
	for (size_t i = 0; i < scan->shelves.n; i++)
		shelf_close(&scan->shelves.v[i].shelf);
}

/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "compiler/linked/disk_place.h"
#include "compiler/linked/link_list.h"

#define REFERENCES ".refs"

struct collector {
	struct arena *arena;
	struct diag *diag;
	const char *place;
	struct strings needed; /* names of disks */
};

static const char *state_of(struct arena *arena, const char *place)
{
	return strcmp(path_base(place), DISK_PLACE_NAME) == 0 ? path_parent(arena, place) : NULL;
}

/* ---- references ---- */

static void need_of(struct collector *collector, const char *runner)
{
	const char *name = link_list_disk(collector->arena, runner);
	if (name)
		vec_push(collector->arena, &collector->needed, name);
}

static void need_of_vms(struct collector *collector)
{
	static const char *const links[] = {"current", "booted", "old"};
	const char *state = state_of(collector->arena, collector->place);
	DIR *stream = state ? opendir(state) : NULL;
	for (struct dirent *entry; stream && (entry = directory_next(stream, state));)
		for (size_t i = 0; entry->d_name[0] != '.' && i < countof(links); i++)
			need_of(collector,
				arena_printf(collector->arena, "%s/%s/%s", state, entry->d_name,
					links[i]));
	if (stream)
		closedir(stream);
}

/* Forgets runners that do not exist any more. */
static void need_of_references(struct collector *collector)
{
	const char *directory = path_join(collector->arena, collector->place, REFERENCES);
	DIR *stream = opendir(directory);
	for (struct dirent *entry; stream && (entry = directory_next(stream, directory));) {
		const char *link = path_join(collector->arena, directory, entry->d_name);
		if (entry->d_name[0] == '.')
			continue;
		if (path_is_directory(link))
			need_of(collector, link);
		else
			unlink(link);
	}
	if (stream)
		closedir(stream);
}

static bool has_need(const struct collector *collector, const char *name)
{
	for (size_t i = 0; i < collector->needed.n; i++)
		if (strcmp(collector->needed.v[i], name) == 0)
			return true;
	return false;
}

static bool is_needed(struct collector *collector, const char *name)
{
	collector->needed.n = 0;
	need_of_vms(collector);
	need_of_references(collector);
	return has_need(collector, name);
}

bool disk_refer(struct arena *arena, struct diag *diag, const char *place, const char *runner,
	const char *name)
{
	struct collector collector = {.arena = arena, .diag = diag, .place = place};
	unsigned char digest[SHA256_DIGEST_LENGTH];
	need_of_vms(&collector);
	if (has_need(&collector, name))
		return true;
	SHA256((const unsigned char *)runner, strlen(runner), digest);
	const char *directory = path_join(arena, place, REFERENCES),
		   *link = path_join(arena, directory, arena_hex(arena, digest, sizeof digest));
	while (disk_place_make(arena, diag, place) && directory_make(diag, directory, 0755)) {
		if (symlink(runner, link) == 0 || errno == EEXIST)
			return true;
		/* A collection removes an empty directory. */
		if (errno != ENOENT)
			return diag_error(diag, STATUS_FAILED, NULL, "linked-disk",
				"cannot create the link %s: %s", link, strerror(errno));
	}
	return false;
}

/* ---- removal ---- */

/* The name of the disk to which an entry belongs; NULL: to none. */
static const char *disk_of(struct arena *arena, const char *entry)
{
	static const char *const endings[] = {"", ".seal", ".lock", ".work"};
	const char *name = entry + (entry[0] == '.');
	for (size_t i = 0; i < countof(endings); i++) {
		const size_t length = strlen(name), ending = strlen(endings[i]);
		if (length < ending || strcmp(name + length - ending, endings[i]) != 0)
			continue;
		const char *disk = arena_strndup(arena, name, length - ending);
		if (link_list_is_disk(disk))
			return disk;
	}
	return NULL;
}

/* The lock is held. It is removed last: whoever waits for it makes another. */
static bool remove_disk(
	struct collector *collector, const char *name, bool *had_disk, unsigned long long *bytes)
{
	struct arena *arena = collector->arena;
	struct stat st;
	const char *disk = path_join(arena, collector->place, name);
	*had_disk = lstat(disk, &st) == 0;
	if (*had_disk)
		*bytes += (unsigned long long)st.st_blocks * 512;
	return path_remove(collector->diag, disk) &&
		path_remove(collector->diag, arena_printf(arena, "%s.seal", disk)) &&
		path_remove(collector->diag,
			arena_printf(arena, "%s/.%s.work", collector->place, name)) &&
		path_remove(collector->diag,
			arena_printf(arena, "%s/.%s.lock", collector->place, name));
}

/* A disk that is being made or checked stays. */
static bool collect(
	struct collector *collector, const char *name, size_t *removed, unsigned long long *bytes)
{
	const char *path = arena_printf(collector->arena, "%s/.%s.lock", collector->place, name);
	FD_CLEANUP int lock = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	bool had_disk = false;
	if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) != 0 || !disk_lock_is_named(lock, path) ||
		is_needed(collector, name))
		return true;
	const bool ok = remove_disk(collector, name, &had_disk, bytes);
	*removed += had_disk;
	return ok;
}

static struct strings disks_in(struct arena *arena, const char *place)
{
	struct strings names = {0};
	DIR *stream = opendir(place);
	for (struct dirent *entry; stream && (entry = directory_next(stream, place));) {
		const char *name = disk_of(arena, entry->d_name);
		if (name)
			vec_push(arena, &names, name);
	}
	if (stream)
		closedir(stream);
	if (names.n)
		qsort(names.v, names.n, sizeof *names.v, strings_compare);
	return names;
}

bool disks_collect(struct arena *arena, struct diag *diag, const char *place, size_t *removed,
	unsigned long long *bytes)
{
	struct collector collector = {.arena = arena, .diag = diag, .place = place};
	if (!path_is_directory(place))
		return true;
	if (!disk_place_make(arena, diag, place))
		return false;
	const struct strings names = disks_in(arena, place);
	bool ok = true;
	for (size_t i = 0; ok && i < names.n; i++)
		if (i == 0 || strcmp(names.v[i - 1], names.v[i]) != 0)
			ok = collect(&collector, names.v[i], removed, bytes);
	rmdir(path_join(arena, place, REFERENCES)); /* only when empty */
	rmdir(place);
	return ok;
}

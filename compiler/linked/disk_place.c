/* SPDX-License-Identifier: MIT */
#include "compiler/linked/disk_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

#define STATE_DIR "/var/lib/microvms"

enum { SEAL_BYTES = 4096 };

/* ---- the directory ---- */

static const char *cache_place(struct arena *arena)
{
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	if (xdg && xdg[0] == '/')
		return path_join(arena, xdg, "mvmbuild/disks");
	return home && home[0] == '/' && path_is_directory(home)
		? path_join(arena, home, ".cache/mvmbuild/disks")
		: NULL;
}

const char *disk_place_find(struct arena *arena, struct diag *diag, const char *given)
{
	const char *variable = getenv(DISK_PLACE_VARIABLE);
	if (given)
		return path_absolute(arena, given);
	if (variable && *variable)
		return path_absolute(arena, variable);
	const char *place = geteuid() == 0 ? STATE_DIR "/" DISK_PLACE_NAME : cache_place(arena);
	if (!place)
		diag_error(diag, STATUS_FAILED, NULL, "linked-disk",
			"there is no place for the store disk, because HOME is not set: link it as "
			"root, or name a directory with --disks");
	return place;
}

bool disk_place_is_ours(const char *place)
{
	struct stat st;
	return lstat(place, &st) != 0
		? errno == ENOENT
		: S_ISDIR(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 022);
}

bool disk_place_make(struct arena *arena, struct diag *diag, const char *place)
{
	const bool is_cache = strcmp(path_base(place), DISK_PLACE_NAME) != 0;
	struct stat st;
	if (lstat(place, &st) != 0 &&
		(!directory_make(diag, path_parent(arena, place), is_cache ? 0700 : 0755) ||
			!directory_make(diag, place, is_cache ? 0700 : 0755)))
		return false;
	if (!disk_place_is_ours(place))
		return diag_error(diag, STATUS_FAILED, NULL, "linked-disk",
			"%s is not a directory that only its owner, this user, can write to; link "
			"the disk as that user, or name another directory with --disks",
			place);
	/* The VMs' user reads the disks of the host, whatever the umask is. */
	return is_cache || chmod(place, 0755) == 0 ||
		diag_error(diag, STATUS_FAILED, NULL, "linked-disk", "cannot change %s: %s", place,
			strerror(errno));
}

/* ---- locks ---- */

static bool wait_for(int fd)
{
	while (flock(fd, LOCK_EX) != 0)
		if (errno != EINTR)
			return false;
	return true;
}

bool disk_lock_is_named(int fd, const char *path)
{
	struct stat opened, named;
	return fstat(fd, &opened) == 0 && lstat(path, &named) == 0 &&
		opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

int disk_lock(struct arena *arena, struct diag *diag, const char *place, const char *name)
{
	const char *path = arena_printf(arena, "%s/.%s.lock", place, name);
	for (;;) {
		FD_CLEANUP int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		/* A collection removes an empty place. */
		if (fd < 0 && errno == ENOENT && disk_place_make(arena, diag, place))
			continue;
		if (fd < 0 || !wait_for(fd)) {
			diag_error(diag, STATUS_FAILED, NULL, "linked-disk", "cannot lock %s: %s",
				path, strerror(errno));
			return -1;
		}
		/*
		 * A collection removes the lock with the disk. An interrupted program executes
		 * itself to remove its unfinished disk (base/interrupts.h), and has the lock until
		 * then.
		 */
		if (disk_lock_is_named(fd, path) && fcntl(fd, F_SETFD, 0) == 0) {
			const int locked = fd;
			fd = -1;
			return locked;
		}
	}
}

/* ---- the seal ---- */

static const char *seal_path(struct arena *arena, const char *disk)
{
	return arena_printf(arena, "%s.seal", disk);
}

/* A program that writes to the file, or replaces it, changes its ctime. */
static const char *seal_text(struct arena *arena, const struct stat *st)
{
	return arena_printf(arena, "1 %llu %lld %lld.%09ld %lld.%09ld\n",
		(unsigned long long)st->st_ino, (long long)st->st_size,
		(long long)st->st_mtim.tv_sec, (long)st->st_mtim.tv_nsec,
		(long long)st->st_ctim.tv_sec, (long)st->st_ctim.tv_nsec);
}

bool disk_seal(struct arena *arena, struct diag *diag, const char *disk)
{
	struct stat st;
	if (stat(disk, &st) != 0)
		return diag_error(diag, STATUS_FAILED, NULL, "linked-disk", "cannot read %s: %s",
			disk, strerror(errno));
	const char *text = seal_text(arena, &st);
	return file_rewrite(arena, diag, seal_path(arena, disk), text, strlen(text), 0444);
}

bool disk_is_sealed(struct arena *arena, const char *disk)
{
	struct stat st;
	struct bytes text;
	const char *seal = seal_path(arena, disk);
	return lstat(disk, &st) == 0 && S_ISREG(st.st_mode) && path_is_regular_file(seal) &&
		file_read(arena, diag_new(arena), seal, SEAL_BYTES, &text) &&
		strcmp(text.p, seal_text(arena, &st)) == 0;
}

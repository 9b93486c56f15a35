/* SPDX-License-Identifier: MIT */
#include "imaging/guest/nix_db/upper.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/file.h"
#include "imaging/guest/nix_db/files.h"
#include "imaging/guest/nix_db/message.h"

bool upper_empty_trash(const struct upper *upper)
{
	return !upper->directory || tree_remove(upper->trash) ||
		fail("cannot remove %s: %s", upper->trash, strerror(errno));
}

bool upper_open(struct arena *arena, const char *directory, struct upper *upper)
{
	*upper = (struct upper){.arena = arena, .directory = directory};
	if (!directory)
		return true;
	upper->trash = path_join(arena, path_parent(arena, directory), "mvm-trash");
	return upper_empty_trash(upper);
}

/*
 * The prefix is "trusted." if the overlay is mounted in the first user namespace, "user." with the
 * mount option userxattr.
 */
static bool is_copied(const char *path)
{
	return lgetxattr(path, "trusted.overlay.origin", NULL, 0) >= 0 ||
		lgetxattr(path, "user.overlay.origin", NULL, 0) >= 0;
}

static bool add_entry(struct upper *upper, const char *name)
{
	const char *path = path_join(upper->arena, upper->directory, name);
	struct stat st;
	if (lstat(path, &st) != 0)
		return fail("cannot read %s: %s", path, strerror(errno));
	bool whiteout = S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0);
	enum upper_kind kind = whiteout ? UPPER_WHITEOUT : is_copied(path) ? UPPER_COPY : UPPER_OWN;
	vec_push(upper->arena, &upper->entries,
		(struct upper_entry){arena_strdup(upper->arena, name), kind});
	return true;
}

/* No store path begins with a dot, but Nix's own ".links" does. */
bool upper_list(struct upper *upper)
{
	DIR *stream = upper->directory ? opendir(upper->directory) : NULL;
	if (!stream)
		return !upper->directory || errno == ENOENT ||
			fail("cannot read %s: %s", upper->directory, strerror(errno));
	bool ok = true;
	errno = 0;
	for (const struct dirent *entry; ok && (entry = readdir(stream)); errno = 0)
		if (entry->d_name[0] != '.')
			ok = add_entry(upper, entry->d_name);
	if (ok && errno)
		ok = fail("cannot read %s: %s", upper->directory, strerror(errno));
	closedir(stream);
	return ok;
}

/* Without root, a directory can be moved only if we may write to it. */
static bool move(const char *from, const char *to)
{
	if (rename(from, to) == 0)
		return true;
	if (errno != EACCES || chmod(from, 0700) != 0)
		return false;
	return rename(from, to) == 0;
}

bool upper_drop(const struct upper *upper, const char *name)
{
	const char *from = path_join(upper->arena, upper->directory, name);
	if (mkdir(upper->trash, 0700) != 0 && errno != EEXIST)
		return fail("cannot make %s: %s", upper->trash, strerror(errno));
	if (move(from, path_join(upper->arena, upper->trash, name)) || errno == ENOENT)
		return true;
	return fail("cannot move %s away: %s", from, strerror(errno));
}

bool upper_sync(const struct upper *upper)
{
	return !upper->directory || !path_exists(upper->directory) ||
		sync_directory(upper->directory);
}

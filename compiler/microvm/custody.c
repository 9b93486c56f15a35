/* SPDX-License-Identifier: MIT */
#include "compiler/microvm/custody.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "compiler/microvm/contents.h"
#include "compiler/microvm/links.h"
#include "compiler/microvm/runners.h"

enum { TEXT_BYTES = 64 * 1024, MODE_STATE = 0755, MODE_VM = 01775 };

static const char *const names[] = {
	"current", "old", "toplevel", "source", "flake", "declared", ".result", REMOVING};

static bool is_ours(const struct stat *st)
{
	return st->st_uid == 0 || st->st_uid == geteuid();
}

/* Whether others can remove entries from the directory. */
static bool is_exposed(const struct stat *directory)
{
	return !is_ours(directory) ||
		((directory->st_mode & 0022) && !(directory->st_mode & S_ISVTX));
}

bool custody_counts(const struct host *host, const char *directory, const char *name)
{
	struct stat st, entry;
	return lstat(path_join(host->arena, directory, name), &entry) == 0 &&
		(is_ours(&entry) || (stat(directory, &st) == 0 && is_exposed(&st)));
}

bool custody_holds(const char *directory)
{
	struct stat st;
	return lstat(directory, &st) == 0 && S_ISDIR(st.st_mode) && is_ours(&st) &&
		!(st.st_mode & 0022);
}

bool custody_check(const struct host *host, const char *directory)
{
	return !path_exists(directory) || custody_holds(directory) ||
		diag_error(host->diag, STATUS_FAILED, NULL, "not-ours",
			"%s can be changed by users other than root; remove it", directory);
}

/* ---- taking ---- */

static const char *user_name(const struct host *host, uid_t uid)
{
	const struct passwd *user = getpwuid(uid);
	return user ? arena_strdup(host->arena, user->pw_name)
		    : arena_printf(host->arena, "user %u", (unsigned)uid);
}

/*
 * The group of the state directory, which is that of the host's units; if that is root's, the
 * default group of our units or of microvm.nix.
 */
static gid_t group_of_vms(const struct host *host)
{
	static const char *const defaults[] = {"microvm", "kvm"};
	struct stat st;
	if (stat(host->state_dir, &st) == 0 && st.st_gid != 0)
		return st.st_gid;
	for (size_t i = 0; i < countof(defaults); i++) {
		const struct group *group = getgrnam(defaults[i]);
		if (group)
			return group->gr_gid;
	}
	return getgid();
}

static bool change(const struct host *host, int fd, const char *directory, mode_t mode)
{
	if (fchown(fd, geteuid(), group_of_vms(host)) != 0 && geteuid() == 0)
		return diag_error(host->diag, STATUS_FAILED, NULL, "unwritable-state",
			"cannot change the owner of %s: %s", directory, strerror(errno));
	return fchmod(fd, mode) == 0 ||
		diag_error(host->diag, STATUS_FAILED, NULL, "unwritable-state",
			"cannot change the mode of %s: %s", directory, strerror(errno));
}

static int open_directory(const struct host *host, const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		diag_error(host->diag, STATUS_FAILED, NULL, "state", "cannot open %s: %s",
			directory, strerror(errno));
	return fd;
}

bool custody_open_to_group(const struct host *host, const char *directory)
{
	FD_CLEANUP int fd = open_directory(host, directory);
	return fd >= 0 && change(host, fd, directory, MODE_VM);
}

/* `*taken`: the directory was exposed and now is not. */
static bool take(const struct host *host, const char *directory, mode_t mode, bool *taken)
{
	struct stat st;
	*taken = false;
	if (lstat(directory, &st) != 0 || !is_exposed(&st) ||
		(geteuid() != 0 && st.st_uid != geteuid()))
		return true;
	FD_CLEANUP int fd = open_directory(host, directory);
	if (fd < 0 || fstat(fd, &st) != 0 || !change(host, fd, directory, mode))
		return false;
	diag_warning(host->diag, NULL, "custody",
		"%s belonged to %s with mode %o, so that the VMs' user could change what root "
		"starts; it now belongs to %s with mode %o",
		directory, user_name(host, st.st_uid), (unsigned)(st.st_mode & 07777),
		user_name(host, geteuid()), (unsigned)mode);
	return *taken = true;
}

/* The entry may be replaced meanwhile, so open it once and read only a regular file. */
static bool read_plain(const struct host *host, const char *path, struct bytes *bytes)
{
	struct stat st;
	FD_CLEANUP int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		file_read(host->arena, diag_new(host->arena),
			arena_printf(host->arena, "/proc/self/fd/%d", fd), TEXT_BYTES, bytes);
}

static bool discard(const struct host *host, const char *path, const struct stat *st)
{
	diag_warning(host->diag, NULL, "custody", "removing %s, which %s put there", path,
		user_name(host, st->st_uid));
	return path_remove(host->diag, path);
}

/* Makes a new link or file, because others may have the old file open for writing. */
static bool adopt(const struct host *host, const char *path, const struct stat *st)
{
	const char *target = link_read(host->arena, path);
	struct bytes bytes = {.p = ""};
	if (!target && !read_plain(host, path, &bytes))
		return discard(host, path, st);
	if (!(target ? link_set(host->arena, host->diag, path, target)
		     : file_rewrite(host->arena, host->diag, path, bytes.p, bytes.n, 0644)))
		return false;
	diag_warning(host->diag, NULL, "custody",
		"%s belonged to %s, who could have changed it; check its contents: %.*s", path,
		user_name(host, st->st_uid), (int)strcspn(target ? target : bytes.p, "\n"),
		target ? target : bytes.p);
	return true;
}

static const char *group_name(const struct host *host, gid_t gid)
{
	const struct group *group = getgrgid(gid);
	return group ? arena_strdup(host->arena, group->gr_name)
		     : arena_printf(host->arena, "%u", (unsigned)gid);
}

/* Changes the directory's group if that of the host's units has changed. */
static bool regroup(const struct host *host, const char *directory)
{
	struct stat st;
	const gid_t wanted = group_of_vms(host);
	if (geteuid() != 0 || lstat(directory, &st) != 0 || is_exposed(&st) ||
		st.st_gid == wanted || !(st.st_mode & S_IWGRP))
		return true;
	FD_CLEANUP int fd = open_directory(host, directory);
	if (fd < 0 || !change(host, fd, directory, MODE_VM))
		return false;
	diag_warning(host->diag, NULL, "custody",
		"%s belonged to the group %s and now belongs to the group %s", directory,
		group_name(host, st.st_gid), group_name(host, wanted));
	return true;
}

bool custody_take_state(const struct host *host)
{
	bool taken;
	return take(host, host->state_dir, MODE_STATE, &taken);
}

bool custody_take(const struct host *host, const char *directory)
{
	struct stat st;
	bool exposed;
	if (!custody_take_state(host) || !take(host, directory, MODE_VM, &exposed) ||
		!regroup(host, directory))
		return false;
	if (lstat(directory, &st) != 0 || is_exposed(&st) || access(directory, W_OK) != 0)
		return true;
	bool ok = custody_check(host, path_join(host->arena, directory, RUNNERS));
	for (size_t i = 0; ok && i < countof(names); i++) {
		const char *path = path_join(host->arena, directory, names[i]);
		if (lstat(path, &st) == 0 && !is_ours(&st))
			ok = (exposed ? adopt : discard)(host, path, &st);
	}
	return ok;
}

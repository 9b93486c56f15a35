/* SPDX-License-Identifier: MIT */
/* tree: removes trees. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "base/buf.h"
#include "base/file.h"

static bool is_dot(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* ---- mounts ---- */

/* For kernels before 5.8; mnt_id is in fdinfo since Linux 3.15. */
static bool mount_from_proc(int fd, uint64_t *mount)
{
	char path[sizeof "/proc/self/fdinfo/" + 10], line[128];
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	FILE *info = fopen(path, "re");
	bool found = false;
	while (info && !found && fgets(line, sizeof line, info))
		found = sscanf(line, "mnt_id: %" SCNu64, mount) == 1;
	if (info)
		fclose(info);
	return found;
}

/*
 * Since Linux 5.8. The kernel's struct statx and STATX_MNT_ID (linux/stat.h): musl has no field for
 * the mount.
 */
static bool mount_from_statx(int fd, uint64_t *mount)
{
	const uint32_t wanted = 0x1000;
	struct {
		uint32_t mask, before[35];
		uint64_t mount, after[13];
	} info;
	if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, wanted, &info) != 0 ||
		!(info.mask & wanted))
		return false;
	*mount = info.mount;
	return true;
}

/*
 * Finds the mount that an open file is on: a bind mount has the same device as its source, so
 * st_dev is not enough, but must do without /proc and statx.
 */
static bool mount_of(int fd, uint64_t *mount)
{
	struct stat st;
	if (!mount_from_statx(fd, mount) && !mount_from_proc(fd, mount)) {
		if (fstat(fd, &st) != 0)
			return false;
		*mount = st.st_dev;
	}
	return true;
}

static bool is_of_mount(int fd, uint64_t mount)
{
	uint64_t own;
	return mount_of(fd, &own) && own == mount;
}

static int refuse_crossing(int fd)
{
	close(fd);
	errno = EXDEV;
	return -1;
}

/* Opens an entry of a directory; fails with EXDEV if something is mounted there. */
static int open_within(int parent, const char *name, int flags)
{
	uint64_t mount;
	flags |= O_NOFOLLOW | O_CLOEXEC;
#ifdef SYS_openat2
	const struct open_how how = {.flags = (uint64_t)flags, .resolve = RESOLVE_NO_XDEV};
	const int opened = (int)syscall(SYS_openat2, parent, name, &how, sizeof how);
	if (opened >= 0 || (errno != ENOSYS && errno != EPERM))
		return opened;
#endif
	/* For kernels before 5.6, or where a container forbids openat2. */
	if (!mount_of(parent, &mount))
		return -1;
	const int fd = openat(parent, name, flags);
	return fd < 0 || is_of_mount(fd, mount) ? fd : refuse_crossing(fd);
}

/* Opens the directory that contains the path's last component. */
static int open_parent(const char *path)
{
	const char *slash = strrchr(path, '/');
	if (!slash)
		return open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char *parent = strndup(path, slash == path ? 1 : (size_t)(slash - path));
	if (!parent)
		abort();
	const int fd = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	free(parent);
	return fd;
}

static const char *last_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static bool find_mount_at(int parent, const char *name, struct buf *path);

/*
 * Takes ownership of `directory`. An unreadable directory is skipped; its removal does not cross a
 * mount either.
 */
static bool find_mount_in(int directory, struct buf *path)
{
	DIR *stream = fdopendir(directory);
	bool found = false;
	for (struct dirent *entry; stream && !found && (entry = readdir(stream));)
		found = !is_dot(entry->d_name) && find_mount_at(dirfd(stream), entry->d_name, path);
	if (stream)
		closedir(stream);
	else
		close(directory);
	return found;
}

/* `path` is the parent's; if a mount is found, its place. */
static bool find_mount_at(int parent, const char *name, struct buf *path)
{
	const size_t length = path->n;
	buf_printf(path, "/%s", name);
	FD_CLEANUP int fd = open_within(parent, name, O_PATH);
	if (fd < 0 && errno == EXDEV)
		return true;
	const int directory = fd < 0 ? -1 : openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory >= 0 && find_mount_in(directory, path))
		return true;
	buf_cut(path, length);
	return false;
}

bool tree_find_mount(const char *path, struct buf *found)
{
	FD_CLEANUP int parent = open_parent(path);
	const char *name = last_name(path);
	*found = (struct buf){0};
	if (name == path)
		buf_puts(found, ".");
	else
		buf_add(found, path, (size_t)(name - path) - 1);
	return parent >= 0 && find_mount_at(parent, name, found);
}

int tree_open_below(int directory, const char *path)
{
	int fd = open_within(directory, ".", O_PATH | O_DIRECTORY);
	while (fd >= 0 && *path) {
		const size_t length = strcspn(path, "/");
		char *name = strndup(path, length);
		if (!name)
			abort();
		const int below = length ? open_within(fd, name, O_PATH | O_DIRECTORY)
					 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
		free(name);
		fd_close(&fd);
		fd = below;
		path += length + (path[length] == '/');
	}
	return fd;
}

/* ---- removal ---- */

/* Keeps the first error. */
struct removal {
	int error;
};

static bool fail(struct removal *removal, int error)
{
	if (!removal->error)
		removal->error = error;
	return false;
}

static bool remove_at(struct removal *removal, int parent, const char *name);

static bool remove_children(struct removal *removal, int directory)
{
	DIR *stream = fdopendir(directory);
	if (!stream) {
		fail(removal, errno);
		close(directory);
		return false;
	}
	bool ok = true;
	errno = 0;
	for (struct dirent *entry; (entry = readdir(stream)); errno = 0)
		if (!is_dot(entry->d_name) && !remove_at(removal, dirfd(stream), entry->d_name))
			ok = false;
	ok &= errno == 0 || fail(removal, errno);
	closedir(stream);
	return ok;
}

/*
 * A directory that is unreadable, or read-only on purpose (a copied store path), must not stop us.
 */
static void make_passable(int directory)
{
	char self[sizeof "/proc/self/fd/" + 10]; /* fchmod does not work on an O_PATH descriptor */
	snprintf(self, sizeof self, "/proc/self/fd/%d", directory);
	chmod(self, 0700);
}

/*
 * Never leaves the mount that the tree is on: a directory is opened only if nothing is mounted
 * there, its entries are reached through that descriptor, and the kernel refuses to unlink a mount
 * point (EBUSY).
 */
static bool remove_at(struct removal *removal, int parent, const char *name)
{
	if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
		return true;
	const int error = errno;
	if (error != EISDIR && error != EPERM)
		return fail(removal, error);
	FD_CLEANUP int place = open_within(parent, name, O_PATH | O_DIRECTORY);
	if (place < 0)
		return errno == ENOENT ||
			fail(removal,
				errno == EXDEV             ? EBUSY
					: errno == ENOTDIR ? error
							   : errno);
	make_passable(place);
	const int directory = openat(place, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return errno == ENOENT || fail(removal, errno);
	const bool emptied = remove_children(removal, directory);
	return ((unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT) ||
		       fail(removal, errno)) &&
		emptied;
}

bool tree_remove_at(int parent, const char *name)
{
	struct removal removal = {0};
	const bool ok = remove_at(&removal, parent, name);
	errno = removal.error;
	return ok;
}

bool tree_remove(const char *path)
{
	FD_CLEANUP int parent = open_parent(path);
	return parent < 0 ? errno == ENOENT : tree_remove_at(parent, last_name(path));
}

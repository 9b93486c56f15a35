/* SPDX-License-Identifier: MIT */
#include "backends/runtime/shares/namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

/* include/uapi/linux/mount.h, since Linux 5.12; the number is the same on all architectures. */
enum { NUMBER_MOUNT_SETATTR = 442, MOUNT_RDONLY = 1, RECURSIVE = 0x8000 };

struct mount_attributes {
	uint64_t set, clear, propagation, user_namespace;
};

static bool file_put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t length = (ssize_t)strlen(text),
		written = fd < 0 ? -1 : write(fd, text, (size_t)length);
	int error = errno;
	if (fd >= 0)
		close(fd);
	errno = error;
	return written == length;
}

bool namespace_become_root(struct reason *why)
{
	char users[64], groups[64];
	snprintf(users, sizeof users, "0 %u 1\n", (unsigned)geteuid());
	snprintf(groups, sizeof groups, "0 %u 1\n", (unsigned)getegid());
	if (unshare(CLONE_NEWUSER) != 0)
		return reason_set(why, "cannot create a user namespace: %s", strerror(errno));
	/*
	 * user_namespaces(7): a process without the right to change groups may map its own after
	 * this.
	 */
	if (!file_put("/proc/self/setgroups", "deny") || !file_put("/proc/self/uid_map", users) ||
		!file_put("/proc/self/gid_map", groups))
		return reason_set(
			why, "cannot become root of a user namespace: %s", strerror(errno));
	return true;
}

bool namespace_make_read_only(const char *directory, struct reason *why)
{
	struct mount_attributes attributes = {.set = MOUNT_RDONLY};
	struct statvfs status;
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) != 0 ||
		mount(directory, directory, NULL, MS_BIND | MS_REC, NULL) != 0 ||
		syscall(NUMBER_MOUNT_SETATTR, AT_FDCWD, directory, RECURSIVE, &attributes,
			sizeof attributes) != 0)
		return reason_set(why, "cannot make %s read-only: %s", directory, strerror(errno));
	/*
	 * Checks through the path: a bind mount over "/" leaves lookups of "/" on the old, writable
	 * root.
	 */
	if (statvfs(directory, &status) != 0 || !(status.f_flag & ST_RDONLY))
		return reason_set(why, "cannot make %s read-only", directory);
	return true;
}

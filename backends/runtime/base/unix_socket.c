/* SPDX-License-Identifier: MIT */
#include "backends/runtime/base/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

bool unix_address_make(const char *path, struct sockaddr_un *address, socklen_t *size)
{
	size_t length = strlen(path);
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (length == 0 || length >= sizeof address->sun_path)
		return false;
	memcpy(address->sun_path, path, length);
	*size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
	if (path[0] == '@') { /* an abstract name is not terminated; the address's size ends it */
		address->sun_path[0] = '\0';
		--*size;
	}
	return true;
}

static enum unix_owner unknown(struct reason *why, const char *problem)
{
	reason_set(why, "%s", problem);
	return UNIX_UNKNOWN;
}

/*
 * connect() with a type that no listener here uses finds the socket but does not connect:
 * EPROTOTYPE (unix_find_bsd, net/unix/af_unix.c).
 */
enum unix_owner unix_owner(const char *path, struct reason *why)
{
	struct sockaddr_un address;
	socklen_t size;
	struct stat status;
	if (!unix_address_make(path, &address, &size))
		return unknown(why,
			"a socket's path must have 1 to 107 bytes; give one relative to the VM's "
			"directory");
	/*
	 * connect() returns ECONNREFUSED for a regular file too, as for a socket without a
	 * listener.
	 */
	if (stat(path, &status) == 0 && !S_ISSOCK(status.st_mode))
		return unknown(why, "it is not a socket");
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return unknown(why, strerror(errno));
	int error = connect(fd, (struct sockaddr *)&address, size) == 0 ? 0 : errno;
	close(fd);
	if (error == ENOENT || error == ECONNREFUSED)
		return UNIX_NOBODY;
	return error == 0 || error == EPROTOTYPE || error == EPERM ? UNIX_SOMEBODY
								   : unknown(why, strerror(error));
}

/*
 * Locks the directory of a path: of two processes that start at once, one claims the socket, and
 * the other finds it in use. Returns -1 after an error.
 */
static int directory_lock(const char *path, struct reason *why)
{
	char directory[sizeof((struct sockaddr_un *)0)->sun_path] = ".";
	const char *slash = strrchr(path, '/');
	if (slash) {
		size_t length = slash == path ? 1 : (size_t)(slash - path);
		memcpy(directory, path, length);
		directory[length] = '\0';
	}
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && flock(fd, LOCK_EX) == 0)
		return fd;
	reason_set(why, "the directory %s: %s", directory, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* The group is a name or a number. */
static bool group_find(const char *group, gid_t *number)
{
	const struct group *entry = getgrnam(group);
	uint64_t parsed = 0;
	if (!entry && !number_parse(group, 0, UINT32_MAX - 1, &parsed))
		return false;
	*number = entry ? entry->gr_gid : (gid_t)parsed;
	return true;
}

static bool group_set(const char *path, const char *group, bool needed, struct reason *why)
{
	gid_t number;
	if (!group)
		return true;
	if (!group_find(group, &number))
		return !needed || reason_set(why, "the group %s does not exist", group);
	if (lchown(path, (uid_t)-1, number) == 0 || !needed)
		return true;
	return reason_set(why, "cannot give it to the group %s: %s", group, strerror(errno));
}

static bool claim_bound(struct unix_claim *claim, struct reason *why)
{
	struct stat status;
	if (lstat(claim->path, &status) != 0)
		return reason_set(why, "%s", strerror(errno));
	claim->device = status.st_dev;
	claim->inode = status.st_ino;
	return true;
}

static bool claim_make(
	struct unix_claim *claim, const char *group, bool group_needed, struct reason *why)
{
	struct sockaddr_un address;
	socklen_t size;
	if (!unix_address_make(claim->path, &address, &size))
		return reason_set(why, "a socket's path must have 1 to 107 bytes");
	struct stat status;
	bool there = lstat(claim->path, &status) == 0;
	if (there && !S_ISSOCK(status.st_mode))
		return reason_set(why, "a file that is not a socket is in the way");
	if (there && unlink(claim->path) != 0 && errno != ENOENT)
		return reason_set(why, "cannot remove an unused socket that is in the way: %s",
			strerror(errno));
	mode_t mask = umask(group ? 0117 : 0177);
	int bound = bind(claim->fd, (struct sockaddr *)&address, size);
	umask(mask);
	if (bound != 0)
		return reason_set(why, "%s", strerror(errno));
	if (claim_bound(claim, why) && group_set(claim->path, group, group_needed, why)) {
		/* Only one client is served; before listen() none can connect. */
		if (listen(claim->fd, 1) == 0)
			return true;
		reason_set(why, "%s", strerror(errno));
	}
	unlink(claim->path);
	return false;
}

bool unix_claim(const char *path, const char *group, bool group_needed, struct unix_claim *claim,
	struct reason *why)
{
	*claim = (struct unix_claim){.fd = -1};
	struct sockaddr_un address;
	socklen_t size;
	if (path[0] == '@' || !unix_address_make(path, &address, &size))
		return reason_set(why,
			"a socket's path must have 1 to 107 bytes, and must not begin with '@'");
	int directory = directory_lock(path, why);
	if (directory < 0)
		return false;
	enum unix_owner owner = unix_owner(path, why);
	if (owner == UNIX_SOMEBODY)
		reason_set(why, "another process serves it already");
	if (owner == UNIX_NOBODY) {
		claim->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		claim->path = path;
		if (claim->fd < 0)
			reason_set(why, "%s", strerror(errno));
		else if (claim_make(claim, group, group_needed, why)) {
			close(directory);
			return true;
		}
	}
	close(directory);
	if (claim->fd >= 0)
		close(claim->fd);
	*claim = (struct unix_claim){.fd = -1};
	return false;
}

void unix_release(struct unix_claim *claim)
{
	struct stat status;
	if (!claim->path)
		return;
	if (lstat(claim->path, &status) == 0 && status.st_dev == claim->device &&
		status.st_ino == claim->inode)
		unlink(claim->path);
	close(claim->fd);
	*claim = (struct unix_claim){.fd = -1};
}

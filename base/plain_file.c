/* SPDX-License-Identifier: MIT */
#include "base/plain_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void fd_close(int *fd)
{
	const int error = errno;
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = error;
}

bool fd_write_all(int fd, const void *bytes, size_t count, off_t offset)
{
	const char *from = bytes;
	while (count) {
		ssize_t put = pwrite(fd, from, count, offset);
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0) {
			if (put == 0)
				errno = ENOSPC;
			return false;
		}
		from += put;
		offset += put;
		count -= (size_t)put;
	}
	return true;
}

ssize_t fd_read_most(int fd, void *bytes, size_t count, off_t offset)
{
	size_t read = 0;
	while (read < count) {
		ssize_t got = pread(fd, (char *)bytes + read, count - read, offset + (off_t)read);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		read += (size_t)got;
	}
	return (ssize_t)read;
}

bool fd_read_all(int fd, void *bytes, size_t count, off_t offset)
{
	ssize_t got = fd_read_most(fd, bytes, count, offset);
	if (got >= 0 && (size_t)got < count)
		errno = EIO;
	return got >= 0 && (size_t)got == count;
}

ssize_t file_start(const char *path, char *text, size_t size)
{
	FD_CLEANUP int fd = open(path, O_RDONLY | O_CLOEXEC);
	const ssize_t length = fd < 0 ? -1 : read(fd, text, size - 1);
	if (length >= 0)
		text[length] = '\0';
	return length;
}

size_t path_parent_length(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash == path ? 1 : slash ? (size_t)(slash - path) : 0;
}

static bool part_make(const char *path, mode_t mode)
{
	struct stat st;
	if (mkdir(path, mode) == 0)
		return true;
	/* In a file system that is read-only, mkdir may fail although the directory exists. */
	const int error = errno;
	const bool exists = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
	errno = error;
	return exists;
}

static bool make_along(const char *path, size_t length, mode_t mode, size_t *failed)
{
	char part[PATH_MAX];
	*failed = length;
	if (length >= sizeof part) {
		errno = ENAMETOOLONG;
		return false;
	}
	memcpy(part, path, length);
	part[length] = '\0';
	for (char *end = part; *end;) {
		end += strspn(end, "/");
		end += strcspn(end, "/");
		const char next = *end;
		*end = '\0';
		*failed = (size_t)(end - part);
		if (!part_make(part, mode))
			return false;
		*end = next;
	}
	return true;
}

bool directories_make(const char *path, mode_t mode, size_t *failed)
{
	return make_along(path, strlen(path), mode, failed ? failed : &(size_t){0});
}

bool parents_make(const char *path, mode_t mode)
{
	return make_along(path, path_parent_length(path), mode, &(size_t){0});
}

bool directory_sync(const char *path)
{
	FD_CLEANUP int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Some file systems cannot sync a directory. */
	return fd >= 0 && (fsync(fd) == 0 || errno == EINVAL || errno == EOPNOTSUPP);
}

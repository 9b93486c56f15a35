/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/io_uring.h>

#include "backends/runtime/base/runtime.h"

/*
 * The filters of Docker and Podman make it fail with EPERM, as does kernel.io_uring_disabled (2 on
 * RHEL 10). A kernel without io_uring returns ENOSYS.
 */
int verb_aio(char **arguments)
{
	(void)arguments;
	struct io_uring_params parameters = {0};
	long fd = syscall(SYS_io_uring_setup, 1, &parameters);
	if (fd < 0)
		complain("io_uring is not available here (%s): disks use threads instead, which is "
			 "slower",
			strerror(errno));
	else
		close((int)fd);
	puts(fd < 0 ? "threads" : "io_uring");
	return STATUS_OK;
}

/* If the image does not exist, an unnamed file in its directory is tried. */
static int direct_open(const char *image)
{
	int fd = open(image, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_DIRECT);
	if (fd >= 0 || errno != ENOENT)
		return fd;
	char *directory = directory_of(image);
	fd = open(directory, O_RDWR | O_TMPFILE | O_CLOEXEC | O_DIRECT, 0600);
	if (fd < 0 && errno == EINVAL) {
		/* EINVAL may refer to O_TMPFILE or to O_DIRECT. */
		int plain = open(directory, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
		int error = plain >= 0 ? EINVAL : EOPNOTSUPP;
		if (plain >= 0)
			close(plain);
		errno = error;
	}
	int error = errno;
	free(directory);
	errno = error;
	return fd;
}

int verb_volume_direct(char **arguments)
{
	int fd = direct_open(arguments[0]);
	if (fd < 0 && errno == EINVAL) {
		complain("the image %s: its file system does not support direct I/O (tmpfs does "
			 "since Linux 6.6), so it uses the page cache in spite of direct: true",
			arguments[0]);
		return STATUS_FAILED;
	}
	if (fd >= 0)
		close(fd);
	return STATUS_OK;
}

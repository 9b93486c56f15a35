/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/runtime/base/runtime.h"

char *text(const char *format, ...)
{
	char *out;
	va_list arguments;
	va_start(arguments, format);
	int n = vasprintf(&out, format, arguments);
	va_end(arguments);
	return memory(n < 0 ? NULL : out);
}

void *memory(void *p)
{
	if (p)
		return p;
	complain("out of memory");
	exit(STATUS_FAILED);
}

bool directory_sync(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *directory = slash ? text("%.*s", (int)(slash - path) + 1, path) : text(".");
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Some file systems cannot sync a directory, and return EINVAL. */
	bool ok = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL || errno == EOPNOTSUPP);
	int error = errno;
	if (fd >= 0)
		close(fd);
	free(directory);
	errno = error;
	return ok;
}

/* SPDX-License-Identifier: MIT */
/* A file in memory, for readers that take a path or a descriptor. */
#ifndef MVM_TESTS_MEMORY_FILE_H
#define MVM_TESTS_MEMORY_FILE_H

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static inline int memory_file(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0 || (size && pwrite(fd, data, size, 0) != (ssize_t)size))
		abort();
	return fd;
}

#endif

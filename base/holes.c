/* SPDX-License-Identifier: MIT */
#include "base/holes.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/plain_file.h"

/* Two system calls for a smaller file cost more than they can save. */
enum { SIZE_MIN = 1 << 20 };

struct holes holes_of(int fd, uint64_t size)
{
	return (struct holes){.fd = fd, .size = size, .end = size < SIZE_MIN ? UINT64_MAX : 0};
}

/* Finds the next data at `at` or after it. */
static void look(struct holes *holes, uint64_t at)
{
	const off_t data = lseek(holes->fd, (off_t)at, SEEK_DATA);
	holes->from = at;
	if (data < 0 && errno == ENXIO) {
		const off_t size = lseek(holes->fd, 0, SEEK_END);
		holes->data = size < 0 ? 0 : (uint64_t)size;
		holes->end = UINT64_MAX;
		return;
	}
	const off_t end = data < 0 ? -1 : lseek(holes->fd, data, SEEK_HOLE);
	/* If the file system cannot report holes, the whole file counts as data. */
	holes->data = end < 0 ? 0 : (uint64_t)data;
	holes->end = end < 0 ? UINT64_MAX : (uint64_t)end;
}

bool holes_has(struct holes *holes, size_t count, uint64_t at)
{
	if (at + count >= holes->size)
		return false;
	if (at < holes->from || at >= holes->end)
		look(holes, at);
	return at + count <= holes->data;
}

bool holes_read(struct holes *holes, void *bytes, size_t count, uint64_t at)
{
	if (!holes_has(holes, count, at))
		return fd_read_all(holes->fd, bytes, count, (off_t)at);
	memset(bytes, 0, count);
	return true;
}

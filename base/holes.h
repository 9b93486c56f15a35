/* SPDX-License-Identifier: MIT */
/*
 * holes: reads files without reading their holes. The kernel would fill a page of the page cache
 * for each 4 KiB of a hole, and drop other pages for it.
 */
#ifndef MVM_BASE_HOLES_H
#define MVM_BASE_HOLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The known holes of an open file. The file's offset is changed. */
struct holes {
	int fd;
	uint64_t size; /* of the file, as the caller expects it */
	/* a hole from `from` to `data`, then data to `end` */
	uint64_t from, data, end;
};

struct holes holes_of(int fd, uint64_t size);
/*
 * Reads exactly `count` bytes at `at`, as fd_read_all does. The end of the file is always read, so
 * a file that was truncated is noticed.
 */
bool holes_read(struct holes *holes, void *bytes, size_t count, uint64_t at);
/* Whether these bytes are in one hole, and before the end of the file. */
bool holes_has(struct holes *holes, size_t count, uint64_t at);

#endif

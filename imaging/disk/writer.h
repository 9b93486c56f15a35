/* SPDX-License-Identifier: MIT */
/*
 * writer: writes an image in a thread of its own, while the caller makes what else is to be
 * written. Nothing is there before it was asked for: image_writer_read waits for the bytes that it
 * reads, image_writer_finish for everything.
 */
#ifndef MVM_IMAGING_DISK_WRITER_H
#define MVM_IMAGING_DISK_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"

struct image_writer;

/*
 * Creates `path`, which must not exist. What is copied shares the blocks of its source where the
 * file system can, or else goes past the page cache to the disk; with `cached` it goes through the
 * page cache, and is not synced. NULL after an error.
 */
struct image_writer *image_writer_new(struct diag *diag, const char *path, bool cached);
/* Ends what is under way. An image that was not finished is removed. */
void image_writer_free(struct image_writer *writer);

/*
 * Copies `bytes`, which may go afterwards. False, with errno set, when something that was asked for
 * before could not be written.
 */
bool image_writer_put(struct image_writer *writer, const void *bytes, size_t count, uint64_t at);
/*
 * Copies `count` bytes of the file `from`, which may be closed afterwards; all three numbers are
 * multiples of 4096. False as above.
 */
bool image_writer_copy(
	struct image_writer *writer, int from, uint64_t start, uint64_t count, uint64_t at);
/* Reads what was written; false with errno set. */
bool image_writer_read(struct image_writer *writer, void *into, size_t count, uint64_t at);
/* Says on `diag` what could not be written, by errno. Always false. */
bool image_writer_failed(const struct image_writer *writer, struct diag *diag);
/*
 * All was asked for: the image becomes as long as this, and durable unless it is `cached`. That is
 * not waited for.
 */
void image_writer_end(struct image_writer *writer, uint64_t image_bytes);
/* Waits for that. False after an error. */
bool image_writer_finish(struct image_writer *writer, struct diag *diag);

#endif

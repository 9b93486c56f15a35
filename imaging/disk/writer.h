/* SPDX-License-Identifier: MIT */
/*
 * writer: writes an image in a thread, while the caller prepares more data. Operations are
 * asynchronous: image_writer_read waits for the bytes that it reads, image_writer_finish for
 * everything.
 */
#ifndef MVM_IMAGING_DISK_WRITER_H
#define MVM_IMAGING_DISK_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"

struct image_writer;

/*
 * Creates `path`, which must not exist. A copy shares the blocks of its source where the file
 * system can, or else bypasses the page cache; with `cached` it goes through the page cache and is
 * not synced. NULL after an error.
 */
struct image_writer *image_writer_new(struct diag *diag, const char *path, bool cached);
/* Cancels pending writes. Removes an image that was not finished. */
void image_writer_free(struct image_writer *writer);

/*
 * Writes `bytes`, which may be freed afterwards. False with errno set if an earlier write failed.
 */
bool image_writer_put(struct image_writer *writer, const void *bytes, size_t count, uint64_t at);
/*
 * Copies `count` bytes of the file `from`, which may be closed afterwards; all three numbers are
 * multiples of 4096. False as for image_writer_put.
 */
bool image_writer_copy(
	struct image_writer *writer, int from, uint64_t start, uint64_t count, uint64_t at);
/*
 * Makes the image share these blocks of the file `from` at once, in the caller's thread; the
 * numbers are as for image_writer_copy. False with errno set if the file systems cannot: nothing is
 * written then.
 */
bool image_writer_share(
	struct image_writer *writer, int from, uint64_t start, uint64_t count, uint64_t at);
/* Reads bytes that were written; false with errno set. */
bool image_writer_read(struct image_writer *writer, void *into, size_t count, uint64_t at);
/* Records a write error by errno; returns false. */
bool image_writer_failed(const struct image_writer *writer, struct diag *diag);
/*
 * Ends the writes: truncates the image to this size, and makes it durable unless it is `cached`.
 * Does not wait for that.
 */
void image_writer_end(struct image_writer *writer, uint64_t image_bytes);
/* Waits until all of it is done. False after an error. */
bool image_writer_finish(struct image_writer *writer, struct diag *diag);

#endif

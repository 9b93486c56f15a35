/* SPDX-License-Identifier: MIT */
/*
 * gzip_pieces: a gzip stream of pieces that are compressed each on its own, so that what several
 * streams have in common is compressed once.
 */
#ifndef MVM_IMAGING_INITRD_GZIP_PIECES_H
#define MVM_IMAGING_INITRD_GZIP_PIECES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Pieces that were compressed before, the least wanted ones forgotten. Safe for threads. It never
 * changes what a stream is.
 */
struct gzip_memo;
struct gzip_memo *gzip_memo_new(void);
void gzip_memo_free(struct gzip_memo *memo);

struct gzip_stream {
	int fd;
	struct gzip_memo *memo; /* NULL: none */
	uint64_t end;           /* bytes written */
	uint32_t crc, bytes;    /* of the content; the format wants its length modulo 2^32 */
};

/* Starts at the beginning of `fd`. These are false with errno set. */
bool gzip_begin(struct gzip_stream *stream, int fd, struct gzip_memo *memo);
/* `common`: other streams may have the same piece. */
bool gzip_add(struct gzip_stream *stream, const void *bytes, size_t count, bool common);
bool gzip_end(struct gzip_stream *stream);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * gzip_pieces: writes a gzip stream of separately compressed pieces, so that pieces which several
 * streams have in common are compressed once.
 */
#ifndef MVM_IMAGING_INITRD_GZIP_PIECES_H
#define MVM_IMAGING_INITRD_GZIP_PIECES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Compressed pieces for reuse; the least recently used are dropped. Thread-safe. It never changes a
 * stream's bytes.
 */
struct gzip_memo;
struct gzip_memo *gzip_memo_new(void);
void gzip_memo_free(struct gzip_memo *memo);

struct gzip_stream {
	int fd;
	struct gzip_memo *memo; /* NULL: none */
	uint64_t end;           /* bytes written */
	uint32_t crc, bytes;    /* of the content; the format uses its length modulo 2^32 */
};

/* Starts at the beginning of `fd`. All three return false with errno set. */
bool gzip_begin(struct gzip_stream *stream, int fd, struct gzip_memo *memo);
/* `common`: other streams may have the same piece. */
bool gzip_add(struct gzip_stream *stream, const void *bytes, size_t count, bool common);
bool gzip_end(struct gzip_stream *stream);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * RFC 1951: a flushed deflate stream ends at a byte boundary, and one that was compressed alone has
 * no references to earlier data. So such streams can be concatenated, and an empty last block ends
 * them.
 */
#include "imaging/initrd/gzip_pieces.h"

#include <endian.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

#include "base/arena.h"
#include "base/file.h"

enum {
	MEMO_PIECES = 128,
	MEMO_BYTES = 16 << 20,
	/*
	 * 8 % larger than zlib's default of 6, in two fifths of the time: every build compresses,
	 * and a boot reads some 16 KB more
	 */
	LEVEL = 2,
	MEMORY_LEVEL = 8,
	FLUSH_BYTES = 16, /* end of a piece, in addition to deflateBound */
};

struct piece {
	unsigned char *bytes;
	size_t n;
	uint32_t crc; /* of the content */
};

struct remembered {
	unsigned char digest[SHA256_DIGEST_LENGTH]; /* of the content */
	struct piece piece;
	uint64_t wanted; /* the memo's clock at its last use */
};

struct gzip_memo {
	pthread_mutex_t lock;
	struct remembered pieces[MEMO_PIECES];
	size_t npieces, bytes;
	uint64_t clock;
};

struct gzip_memo *gzip_memo_new(void)
{
	struct gzip_memo *memo = require_memory(calloc(1, sizeof *memo));
	pthread_mutex_init(&memo->lock, NULL);
	return memo;
}

void gzip_memo_free(struct gzip_memo *memo)
{
	if (!memo)
		return;
	for (size_t i = 0; i < memo->npieces; i++)
		free(memo->pieces[i].piece.bytes);
	pthread_mutex_destroy(&memo->lock);
	free(memo);
}

/* ---- memo; the lock is held ---- */

static struct remembered *find(struct gzip_memo *memo, const unsigned char *digest)
{
	for (size_t i = 0; i < memo->npieces; i++)
		if (memcmp(memo->pieces[i].digest, digest, SHA256_DIGEST_LENGTH) == 0)
			return &memo->pieces[i];
	return NULL;
}

static void forget_one(struct gzip_memo *memo)
{
	struct remembered *least = &memo->pieces[0];
	for (size_t i = 1; i < memo->npieces; i++)
		if (memo->pieces[i].wanted < least->wanted)
			least = &memo->pieces[i];
	memo->bytes -= least->piece.n;
	free(least->piece.bytes);
	*least = memo->pieces[--memo->npieces];
}

static struct piece piece_copy(const struct piece *piece)
{
	struct piece copy = *piece;
	copy.bytes = require_memory(malloc(piece->n));
	memcpy(copy.bytes, piece->bytes, piece->n);
	return copy;
}

/* ---- pieces ---- */

static bool recall(struct gzip_memo *memo, const unsigned char *digest, struct piece *out)
{
	pthread_mutex_lock(&memo->lock);
	struct remembered *known = find(memo, digest);
	if (known) {
		known->wanted = ++memo->clock;
		*out = piece_copy(&known->piece);
	}
	pthread_mutex_unlock(&memo->lock);
	return known;
}

static void remember(struct gzip_memo *memo, const unsigned char *digest, const struct piece *piece)
{
	if (piece->n > MEMO_BYTES / 4)
		return;
	pthread_mutex_lock(&memo->lock);
	if (!find(memo, digest)) { /* another thread may have added it meanwhile */
		while (memo->npieces &&
			(memo->npieces == MEMO_PIECES || memo->bytes + piece->n > MEMO_BYTES))
			forget_one(memo);
		struct remembered *added = &memo->pieces[memo->npieces++];
		*added = (struct remembered){.piece = piece_copy(piece), .wanted = ++memo->clock};
		memcpy(added->digest, digest, SHA256_DIGEST_LENGTH);
		memo->bytes += piece->n;
	}
	pthread_mutex_unlock(&memo->lock);
}

static struct piece compress_piece(const void *bytes, size_t count)
{
	z_stream deflater = {.next_in = bytes, .avail_in = (uInt)count};
	if (deflateInit2(&deflater, LEVEL, Z_DEFLATED, -MAX_WBITS, MEMORY_LEVEL,
		    Z_DEFAULT_STRATEGY) != Z_OK)
		abort(); /* fails only if memory runs out */
	struct piece piece = {.crc = (uint32_t)crc32(0, bytes, (uInt)count)};
	const size_t room = deflateBound(&deflater, (uLong)count) + FLUSH_BYTES;
	piece.bytes = require_memory(malloc(room));
	deflater.next_out = piece.bytes;
	deflater.avail_out = (uInt)room;
	if (deflate(&deflater, Z_FULL_FLUSH) != Z_OK || deflater.avail_in || !deflater.avail_out)
		abort(); /* deflateBound is documented to be sufficient */
	piece.n = room - deflater.avail_out;
	deflateEnd(&deflater);
	return piece;
}

static struct piece make_piece(struct gzip_memo *memo, const void *bytes, size_t count)
{
	struct piece piece;
	unsigned char digest[SHA256_DIGEST_LENGTH];
	if (!memo)
		return compress_piece(bytes, count);
	SHA256(bytes, count, digest);
	if (recall(memo, digest, &piece))
		return piece;
	piece = compress_piece(bytes, count);
	remember(memo, digest, &piece);
	return piece;
}

/* ---- the stream ---- */

static bool put(struct gzip_stream *stream, const void *bytes, size_t count)
{
	if (!fd_write_all(stream->fd, bytes, count, (off_t)stream->end))
		return false;
	stream->end += count;
	return true;
}

bool gzip_begin(struct gzip_stream *stream, int fd, struct gzip_memo *memo)
{
	static const unsigned char header[] = {
		0x1f, 0x8b, Z_DEFLATED, 0, 0, 0, 0, 0, 0, 3 /* made on Unix */};
	*stream = (struct gzip_stream){.fd = fd, .memo = memo};
	return put(stream, header, sizeof header);
}

static bool add_part(
	struct gzip_stream *stream, const unsigned char *bytes, size_t count, bool common)
{
	struct piece piece = make_piece(common ? stream->memo : NULL, bytes, count);
	bool ok = put(stream, piece.bytes, piece.n);
	free(piece.bytes);
	stream->crc = (uint32_t)crc32_combine(stream->crc, piece.crc, (z_off_t)count);
	stream->bytes += (uint32_t)count;
	return ok;
}

bool gzip_add(struct gzip_stream *stream, const void *bytes, size_t count, bool common)
{
	const unsigned char *from = bytes;
	bool ok = true;
	for (size_t part; ok && count; from += part, count -= part) {
		part = count < MEMO_BYTES ? count : MEMO_BYTES;
		ok = add_part(stream, from, part, common);
	}
	return ok;
}

bool gzip_end(struct gzip_stream *stream)
{
	static const unsigned char empty_block[] = {3, 0};
	const uint32_t trailer[] = {htole32(stream->crc), htole32(stream->bytes)};
	return put(stream, empty_block, sizeof empty_block) && put(stream, trailer, sizeof trailer);
}

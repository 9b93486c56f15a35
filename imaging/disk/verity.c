/* SPDX-License-Identifier: MIT */
/*
 * The tree is made level by level. The unit of work is a hash block: it is computed from the 128
 * blocks (512 KiB) below it, and both are in the file. So any thread may compute any block, and
 * memory does not grow with the image.
 */
#include "imaging/disk/verity.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/number.h"
#include "base/workers.h"
#include "imaging/guest/init/verity_format.h"

_Static_assert((int)VERITY_ROOT_BYTES == (int)VERITY_HASH_BYTES &&
		(int)VERITY_BLOCK_BYTES == (int)VERITY_BLOCK,
	"the format's numbers");

/* ---- hashing ---- */

struct hasher {
	EVP_MD_CTX *context;
	unsigned char *blocks; /* VERITY_FANOUT of them */
	unsigned char hashes[VERITY_BLOCK];
};

static struct hasher *hasher_new(void)
{
	struct hasher *hasher = require_memory(malloc(sizeof *hasher));
	hasher->context = require_memory(EVP_MD_CTX_new());
	hasher->blocks = require_memory(malloc((size_t)VERITY_FANOUT * VERITY_BLOCK));
	if (EVP_DigestInit_ex(hasher->context, EVP_sha256(), NULL) != 1)
		abort();
	return hasher;
}

static void hasher_free(struct hasher *hasher)
{
	EVP_MD_CTX_free(hasher->context);
	free(hasher->blocks);
	free(hasher);
}

/* libcrypto fails here only if it runs out of memory. */
static void hash_block(struct hasher *hasher, const unsigned char *block, unsigned char *hash)
{
	if (EVP_DigestInit_ex(hasher->context, NULL, NULL) != 1 ||
		EVP_DigestUpdate(hasher->context, VERITY_SALT, VERITY_SALT_BYTES) != 1 ||
		EVP_DigestUpdate(hasher->context, block, VERITY_BLOCK) != 1 ||
		EVP_DigestFinal_ex(hasher->context, hash, NULL) != 1)
		abort();
}

/* Block numbers in the file. */
struct level {
	uint64_t below, nbelow; /* the blocks that are hashed */
	uint64_t at, n;         /* the blocks of hashes */
};

struct work {
	int image;
	const struct level *level;
};

static off_t block_offset(uint64_t block)
{
	return (off_t)(block * VERITY_BLOCK);
}

/* Makes one block of hashes; false with errno set. */
static bool hash_blocks(struct hasher *hasher, int image, const struct level *level, uint64_t index)
{
	const uint64_t first = index * VERITY_FANOUT, left = level->nbelow - first;
	const size_t n = left < VERITY_FANOUT ? (size_t)left : VERITY_FANOUT;
	if (!fd_read_all(
		    image, hasher->blocks, n * VERITY_BLOCK, block_offset(level->below + first)))
		return false;
	memset(hasher->hashes, 0, sizeof hasher->hashes);
	for (size_t i = 0; i < n; i++)
		hash_block(hasher, hasher->blocks + i * VERITY_BLOCK,
			hasher->hashes + i * VERITY_HASH_BYTES);
	return fd_write_all(image, hasher->hashes, VERITY_BLOCK, block_offset(level->at + index));
}

static bool make_block(void *context, size_t worker, size_t index)
{
	(void)worker;
	const struct work *work = context;
	struct hasher *hasher = hasher_new();
	const bool ok = hash_blocks(hasher, work->image, work->level, index);
	hasher_free(hasher);
	return ok;
}

/* ---- the tree ---- */

static bool root_read(int image, uint64_t block, unsigned char root[VERITY_HASH_BYTES])
{
	struct hasher *hasher = hasher_new();
	const bool ok = fd_read_all(image, hasher->blocks, VERITY_BLOCK, block_offset(block));
	if (ok)
		hash_block(hasher, hasher->blocks, root);
	hasher_free(hasher);
	return ok;
}

/* The level next to the root comes first in the file and is made last. */
static bool make_tree(int image, unsigned jobs, struct verity *verity)
{
	uint64_t blocks[VERITY_LEVELS_MOST],
		end = verity->data_blocks + verity_tree_blocks(verity->data_blocks);
	const unsigned levels = verity_levels(verity->data_blocks, blocks);
	struct level level = {.at = 0, .n = verity->data_blocks};
	struct work work = {.image = image, .level = &level};
	for (unsigned i = 0; i < levels; i++) {
		end -= blocks[i];
		level = (struct level){
			.below = level.at, .nbelow = level.n, .at = end, .n = blocks[i]};
		if (!workers_run(jobs, (size_t)level.n, make_block, &work))
			return false;
	}
	return root_read(image, level.at, verity->root);
}

static bool append(int image, unsigned jobs, struct verity *verity)
{
	struct stat st;
	struct verity_super super;
	if (fstat(image, &st) != 0)
		return false;
	verity->data_blocks = ((uint64_t)st.st_size + VERITY_BLOCK - 1) / VERITY_BLOCK;
	if (ftruncate(image, block_offset(verity->data_blocks)) != 0 ||
		!make_tree(image, jobs, verity))
		return false;
	verity_super_fill(verity->data_blocks, verity->root, &super);
	return fd_write_all(image, &super, sizeof super, block_offset(verity->data_blocks));
}

bool verity_append(struct diag *diag, const char *image, unsigned jobs, struct verity *verity)
{
	FD_CLEANUP int fd = open(image, O_RDWR | O_CLOEXEC);
	if (fd >= 0 && append(fd, jobs, verity))
		return true;
	return diag_error(diag, STATUS_FAILED, NULL, "unwritable-file",
		"cannot write the hash tree of %s: %s", image, strerror(errno));
}

uint64_t verity_tree_bytes(const struct verity *verity)
{
	return verity->data_blocks ? verity_tree_blocks(verity->data_blocks) * VERITY_BLOCK : 0;
}

/* ---- as text ---- */

const char *verity_root_text(struct arena *arena, const struct verity *verity)
{
	return arena_hex(arena, verity->root, sizeof verity->root);
}

const char *verity_salt_text(struct arena *arena)
{
	return arena_hex(arena, VERITY_SALT, VERITY_SALT_BYTES);
}

const char *verity_uuid_text(struct arena *arena, const struct verity *verity)
{
	unsigned char uuid[16];
	verity_uuid(verity->root, uuid);
	const char *text = arena_hex(arena, uuid, sizeof uuid);
	return arena_printf(
		arena, "%.8s-%.4s-%.4s-%.4s-%s", text, text + 8, text + 12, text + 16, text + 20);
}

bool verity_root_parse(const char *text, struct verity *verity)
{
	return hex_parse(text, verity->root, VERITY_HASH_BYTES);
}

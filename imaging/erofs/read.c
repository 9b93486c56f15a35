/* SPDX-License-Identifier: MIT */
#include "imaging/erofs/read.h"

#include <endian.h>
#include <string.h>
#include <sys/stat.h>

#include "imaging/erofs/format.h"
#include "imaging/erofs/index.h"

enum { ALGORITHMS = 4 /* LZ4, LZMA, DEFLATE, Zstandard */ };

static bool refuse(struct erofs_image *image, const char *wrong)
{
	image->wrong = wrong;
	return false;
}

/* ---- super block ---- */

/* For each algorithm, a length of two bytes and that many bytes of configuration. */
static bool read_configs(struct erofs_image *image)
{
	struct erofs_setup *setup = &image->setup;
	const unsigned char *from = image->p + EROFS_CONFIGS_OFFSET;
	size_t n = 0;
	if (setup->algorithms >> ALGORITHMS)
		return refuse(image, "an unknown compressor");
	for (unsigned i = 0; i < ALGORITHMS; i++) {
		if (!(setup->algorithms >> i & 1))
			continue;
		n += 2 + (size_t)(from[n] | from[n + 1] << 8);
		if (n > sizeof setup->config - 2)
			return refuse(image, "long configurations of compressors");
	}
	memcpy(setup->config, from, n);
	setup->config_bytes = (uint16_t)n;
	return true;
}

bool erofs_image_open(struct erofs_image *image, const void *bytes, uint64_t n)
{
	struct erofs_super super;
	*image = (struct erofs_image){.p = bytes, .n = n};
	if (n < EROFS_BLOCK)
		return refuse(image, "less than a block");
	memcpy(&super, image->p + EROFS_SUPER_OFFSET, sizeof super);
	const uint32_t features = le32toh(super.feature_incompat);
	if (le32toh(super.magic) != EROFS_MAGIC)
		return refuse(image, "no super block");
	if (super.block_bits != EROFS_BLOCK_BITS || super.directory_bits != 0)
		return refuse(image, "a block size other than 4 KiB");
	if (features &
			~(uint32_t)(EROFS_FEATURE_ZERO_PADDING | EROFS_FEATURE_COMPR_CFGS |
				EROFS_FEATURE_ZTAILPACKING) ||
		super.extra_devices)
		return refuse(image, "unknown features");
	image->meta = (uint64_t)le32toh(super.meta_block) << EROFS_BLOCK_BITS;
	image->root = le16toh(super.root_nid);
	image->setup.features = features & ~(uint32_t)EROFS_FEATURE_ZTAILPACKING;
	image->setup.algorithms = le16toh(super.algorithms);
	return !(features & EROFS_FEATURE_COMPR_CFGS) || read_configs(image);
}

/* ---- inodes ---- */

struct inode {
	uint64_t at; /* offset after the inode: of indexes or inline data */
	uint64_t size;
	uint32_t start; /* or the number of blocks */
	uint16_t mode, layout;
};

/* Returns `count` bytes at `at`; NULL if the image is shorter. */
static const unsigned char *bytes_at(const struct erofs_image *image, uint64_t at, uint64_t count)
{
	return at <= image->n && count <= image->n - at ? image->p + at : NULL;
}

static bool read_extended(
	struct erofs_image *image, const unsigned char *from, uint64_t at, struct inode *out)
{
	struct erofs_inode_extended inode;
	if (!bytes_at(image, at, sizeof inode))
		return refuse(image, "an inode outside of the image");
	memcpy(&inode, from, sizeof inode);
	*out = (struct inode){.at = at + sizeof inode,
		.size = le64toh(inode.size),
		.start = le32toh(inode.start),
		.mode = le16toh(inode.mode)};
	return true;
}

static bool read_inode(struct erofs_image *image, uint64_t nid, struct inode *out)
{
	struct erofs_inode_compact inode;
	if (nid > image->n / EROFS_SLOT)
		return refuse(image, "an inode outside of the image");
	const uint64_t at = image->meta + nid * EROFS_SLOT;
	const unsigned char *from = bytes_at(image, at, sizeof inode);
	if (!from)
		return refuse(image, "an inode outside of the image");
	memcpy(&inode, from, sizeof inode);
	const uint16_t format = le16toh(inode.format);
	if (format >> 4)
		return refuse(image, "an inode of unknown format");
	if (inode.xattrs)
		return refuse(image, "extended attributes");
	*out = (struct inode){.at = at + sizeof inode,
		.size = le32toh(inode.size),
		.start = le32toh(inode.start),
		.mode = le16toh(inode.mode)};
	if ((format & EROFS_EXTENDED) && !read_extended(image, from, at, out))
		return false;
	out->layout = format >> 1 & 7;
	return true;
}

static bool check_blocks(struct erofs_image *image, uint32_t start, uint64_t blocks)
{
	const uint64_t all = image->n >> EROFS_BLOCK_BITS;
	return blocks == 0 || (blocks <= all && start > 0 && start <= all - blocks) ||
		refuse(image, "blocks outside of the image");
}

/* ---- directories ---- */

struct dirblock {
	const unsigned char *p;
	size_t length, entries;
};

static bool read_dirblock(
	struct erofs_image *image, const struct inode *inode, uint64_t index, struct dirblock *out)
{
	const uint64_t left = inode->size - index * EROFS_BLOCK;
	const uint64_t length = left < EROFS_BLOCK ? left : EROFS_BLOCK;
	const bool is_tail = inode->layout == EROFS_INLINE && length < EROFS_BLOCK;
	const uint64_t at = is_tail ? inode->at : (inode->start + index) * EROFS_BLOCK;
	struct erofs_dirent first;
	const unsigned char *p = bytes_at(image, at, length);
	if (!p || length < sizeof first)
		return refuse(image, "a directory outside of the image");
	memcpy(&first, p, sizeof first);
	const size_t names = le16toh(first.name_offset);
	if (names % sizeof first || names < sizeof first || names > length)
		return refuse(image, "a damaged directory");
	*out = (struct dirblock){p, (size_t)length, names / sizeof first};
	return true;
}

static struct erofs_dirent entry_at(const struct dirblock *block, size_t index)
{
	struct erofs_dirent entry;
	memcpy(&entry, block->p + index * sizeof entry, sizeof entry);
	return entry;
}

/* Compares like memcmp; a name out of bounds compares as empty. */
static int compare_name(const struct dirblock *block, size_t index, const char *name, size_t length)
{
	const size_t from = le16toh(entry_at(block, index).name_offset);
	size_t to = index + 1 < block->entries ? le16toh(entry_at(block, index + 1).name_offset)
					       : block->length;
	if (from > to || to > block->length)
		return (int)length;
	const char *theirs = (const char *)block->p + from;
	const size_t n = strnlen(theirs, to - from), shorter = n < length ? n : length;
	const int order = memcmp(name, theirs, shorter);
	return order ? order : (length > n) - (length < n);
}

/* Finds the last block whose first name is not greater than `name`. */
static bool find_dirblock(struct erofs_image *image, const struct inode *inode, const char *name,
	size_t length, struct dirblock *out)
{
	uint64_t low = 0, high = (inode->size + EROFS_BLOCK - 1) / EROFS_BLOCK;
	while (high - low > 1) {
		const uint64_t middle = low + (high - low) / 2;
		struct dirblock block;
		if (!read_dirblock(image, inode, middle, &block))
			return false;
		if (compare_name(&block, 0, name, length) >= 0)
			low = middle;
		else
			high = middle;
	}
	return read_dirblock(image, inode, low, out);
}

bool erofs_image_lookup(struct erofs_image *image, uint64_t directory, const char *name,
	size_t length, uint64_t *nid)
{
	struct inode inode;
	struct dirblock block;
	if (!read_inode(image, directory, &inode))
		return false;
	if (!S_ISDIR(inode.mode) || (inode.layout != EROFS_PLAIN && inode.layout != EROFS_INLINE) ||
		inode.size == 0 || inode.size > image->n)
		return refuse(image, "a directory of unknown layout");
	if (!find_dirblock(image, &inode, name, length, &block))
		return false;
	for (size_t low = 0, high = block.entries; low < high;) {
		const size_t middle = low + (high - low) / 2;
		const int order = compare_name(&block, middle, name, length);
		if (order == 0) {
			*nid = le64toh(entry_at(&block, middle).nid);
			return true;
		}
		if (order > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return refuse(image, "a file is missing");
}

/* ---- contents ---- */

static bool read_flat(
	struct erofs_image *image, const struct inode *inode, struct erofs_content *content)
{
	const uint64_t whole = inode->size / EROFS_BLOCK, rest = inode->size % EROFS_BLOCK;
	const bool is_inline = inode->layout == EROFS_INLINE && rest;
	const uint64_t blocks = whole + (rest && !is_inline);
	content->start = inode->start;
	content->layout = is_inline ? EROFS_INLINE : EROFS_PLAIN;
	content->blocks = (uint32_t)blocks;
	content->tail_bytes = is_inline ? (uint32_t)rest : 0;
	content->tail = bytes_at(image, inode->at, content->tail_bytes);
	if (!content->tail)
		return refuse(image, "inline data outside of the image");
	return check_blocks(image, inode->start, blocks);
}

/*
 * A file's blocks are consecutive, and each pack is relative to one of them; without clusters of
 * several blocks, to the block before it.
 */
static bool check_index(
	struct erofs_image *image, struct erofs_content *content, struct erofs_index index)
{
	const unsigned char *packs = content->index + sizeof(struct erofs_map_header);
	const uint64_t blocks = erofs_index_blocks(index, packs);
	size_t at = 0;
	for (bool is_first = true; at < erofs_index_bytes(index); is_first = false) {
		uint32_t block;
		memcpy(&block, packs + erofs_index_next(index, &at), sizeof block);
		block = le32toh(block) + !(index.advise & EROFS_ADVISE_BIG);
		if (is_first)
			content->start = block;
		if (block - content->start > blocks + 1)
			return refuse(image, "indexes that refer to other blocks");
	}
	content->blocks = (uint32_t)blocks;
	return check_blocks(image, content->start, blocks);
}

static bool read_compressed(
	struct erofs_image *image, const struct inode *inode, struct erofs_content *content)
{
	const unsigned known = EROFS_ADVISE_2B | EROFS_ADVISE_BIG | EROFS_ADVISE_INLINE;
	struct erofs_map_header header;
	content->index = bytes_at(image, inode->at, sizeof header);
	if (!content->index || inode->size == 0 || inode->size / EROFS_BLOCK > image->n)
		return refuse(image, "indexes outside of the image");
	memcpy(&header, content->index, sizeof header);
	const struct erofs_index index = {inode->size, le16toh(header.advise)};
	if ((index.advise & ~known) || header.cluster_bits || header.reserved)
		return refuse(image, "a compressed file of unknown layout");
	const uint64_t index_bytes = sizeof header + erofs_index_bytes(index);
	const uint32_t tail_bytes =
		index.advise & EROFS_ADVISE_INLINE ? le16toh(header.tail_bytes) : 0;
	if (!bytes_at(image, inode->at, index_bytes + tail_bytes) || index_bytes > UINT32_MAX ||
		tail_bytes > EROFS_BLOCK)
		return refuse(image, "indexes outside of the image");
	content->layout = EROFS_COMPRESSED;
	content->index_bytes = (uint32_t)index_bytes;
	content->tail = content->index + index_bytes;
	content->tail_bytes = tail_bytes;
	return check_index(image, content, index);
}

bool erofs_image_content(struct erofs_image *image, uint64_t nid, struct erofs_content *content)
{
	struct inode inode;
	if (!read_inode(image, nid, &inode))
		return false;
	*content = (struct erofs_content){.size = inode.size};
	if (!S_ISREG(inode.mode))
		return refuse(image, "a file that is not regular");
	if (inode.layout == EROFS_COMPRESSED)
		return read_compressed(image, &inode, content);
	if (inode.layout == EROFS_PLAIN || inode.layout == EROFS_INLINE)
		return read_flat(image, &inode, content);
	return refuse(image, "a file of unknown layout");
}

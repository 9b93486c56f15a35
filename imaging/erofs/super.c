/* SPDX-License-Identifier: MIT */
#include "imaging/erofs/super.h"

#include <endian.h>
#include <string.h>
#include <ext2fs/ext2fs.h>

#include "base/arena.h"
#include "imaging/erofs/format.h"

/*
 * Magic numbers of MINIX's versions, which libblkid's minix.c reads where the low 16 bits of the
 * inode count are.
 */
static const uint16_t minix_magics[] = {0x137f, 0x138f, 0x2468, 0x2478, 0x4d5a};

static bool is_magic(uint16_t number)
{
	bool is = false;
	for (size_t i = 0; i < countof(minix_magics); i++)
		is |= number == minix_magics[i] || number == __builtin_bswap16(minix_magics[i]);
	return is;
}

uint64_t erofs_inode_count(uint64_t inodes)
{
	while (is_magic((uint16_t)inodes))
		inodes++;
	return inodes;
}

void erofs_super_sum(unsigned char *block)
{
	unsigned char *super = block + EROFS_SUPER_OFFSET;
	uint32_t sum = 0;
	memcpy(super + offsetof(struct erofs_super, checksum), &sum, sizeof sum);
	sum = htole32(ext2fs_crc32c_le(~0u, super, EROFS_BLOCK - EROFS_SUPER_OFFSET));
	memcpy(super + offsetof(struct erofs_super, checksum), &sum, sizeof sum);
}

void erofs_super_write(const struct erofs_super_request *request, unsigned char *block)
{
	struct erofs_super super = {.magic = htole32(EROFS_MAGIC),
		.feature_compat = htole32(EROFS_FEATURE_CHECKSUM | EROFS_FEATURE_MTIME),
		.block_bits = EROFS_BLOCK_BITS,
		.root_nid = htole16((uint16_t)request->root_nid),
		.inodes = htole64(erofs_inode_count(request->inodes)),
		.time = htole64(request->time),
		.blocks = htole32((uint32_t)request->blocks),
		.label = EROFS_STORE_LABEL,
		.feature_incompat = htole32(request->setup->features | request->features),
		.algorithms = htole16(request->setup->algorithms)};
	memcpy(super.uuid, request->uuid, sizeof super.uuid);
	memcpy(block + EROFS_SUPER_OFFSET, &super, sizeof super);
	memcpy(block + EROFS_CONFIGS_OFFSET, request->setup->config, request->setup->config_bytes);
	erofs_super_sum(block);
}

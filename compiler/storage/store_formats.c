/* SPDX-License-Identifier: MIT */
#include "compiler/storage/store_formats.h"

#include "compiler/storage/runner_paths.h"
#include "imaging/disk/format.h"
#include "imaging/erofs/super.h"

#define EROFS_COMPRESSORS \
	COMPRESSION_LZ4, COMPRESSION_LZ4HC, COMPRESSION_DEFLATE, COMPRESSION_LZMA, COMPRESSION_ZSTD

const struct store_format store_formats[] = {
	[STORE_SQUASHFS] =
		{
			.image = RUNNER_SHARE "/stage1.squashfs",
			.links = &squashfs_format,
			.compression = COMPRESSION_ZSTD,
			.block_size = 131072,
			.ways = {{.engine = ENGINE_LINKED,
					 .make = store_disk_link,
					 .compressions = {COMPRESSION_ZSTD},
					 .n = 1},
				{.engine = ENGINE_MKSQUASHFS,
					.make = store_disk_mksquashfs,
					.compressions = {COMPRESSION_GZIP, COMPRESSION_LZ4,
						COMPRESSION_LZO, COMPRESSION_XZ, COMPRESSION_ZSTD,
						COMPRESSION_NONE},
					.n = 6}},
			.kernel_options =
				{
					[COMPRESSION_ZSTD] = "SQUASHFS_ZSTD",
					[COMPRESSION_GZIP] = "SQUASHFS_ZLIB",
					[COMPRESSION_XZ] = "SQUASHFS_XZ",
					[COMPRESSION_LZ4] = "SQUASHFS_LZ4",
					[COMPRESSION_LZO] = "SQUASHFS_LZO",
				},
		},
	[STORE_EROFS] =
		{
			.image = RUNNER_SHARE "/stage1.erofs",
			.label = EROFS_STORE_LABEL,
			.links = &erofs_format,
			.compression = COMPRESSION_LZ4HC,
			.block_size = 4096,
			.ways = {{.engine = ENGINE_LINKED,
					 .make = store_disk_link,
					 .compressions = {EROFS_COMPRESSORS},
					 .n = 5},
				{.engine = ENGINE_LINKED,
					.make = store_disk_plain_erofs,
					.compressions = {COMPRESSION_NONE},
					.n = 1,
					.can_trust = true,
					.has_pages = true},
				{.engine = ENGINE_MKFS_EROFS,
					.make = store_disk_mkfs_erofs,
					.compressions = {EROFS_COMPRESSORS, COMPRESSION_NONE},
					.n = 6}},
			.kernel_options =
				{
					[COMPRESSION_LZ4] = "EROFS_FS_ZIP",
					[COMPRESSION_LZ4HC] = "EROFS_FS_ZIP",
					[COMPRESSION_LZMA] = "EROFS_FS_ZIP_LZMA",
					[COMPRESSION_DEFLATE] = "EROFS_FS_ZIP_DEFLATE",
					[COMPRESSION_ZSTD] = "EROFS_FS_ZIP_ZSTD",
				},
		},
};

static bool has_compression(const struct store_way *way, enum compression compression)
{
	for (size_t i = 0; i < way->n; i++)
		if (way->compressions[i] == compression)
			return true;
	return false;
}

const struct store_way *store_way_find(
	enum store_type type, enum store_engine engine, enum compression compression)
{
	const struct store_way *ways = store_formats[type].ways;
	for (size_t i = 0; i < STORE_WAYS; i++)
		if (ways[i].engine == engine && has_compression(&ways[i], compression))
			return &ways[i];
	return NULL;
}

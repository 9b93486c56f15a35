/* SPDX-License-Identifier: MIT */
/* image: implements the operations of disk/format.h for squashfs. */
#include <string.h>
#include <zstd.h>

#include "base/arena.h"
#include "imaging/disk/format.h"
#include "imaging/squashfs/link.h"
#include "imaging/squashfs/pack.h"

enum {
	DEFAULT_LEVEL = 3,
	/*
	 * The maximum, because every build compresses the tables again: level 15 makes them 0.05 MB
	 * smaller and takes 0.2 s for 28,000 files.
	 */
	TABLES_LEVEL = 3,
	DEFAULT_BLOCK = 128 * 1024,
	BLOCK_MIN = 4096, /* squashfs's limits */
	BLOCK_MAX = 1 << 20,
};

struct image {
	unsigned jobs;
	int level;
	struct squashfs_link_request link;
	struct compress_pool *pool; /* started for the first path to pack */
	struct squashfs_linker *linker;
};

static bool settings_check(struct diag *diag, const struct store_disk_request *request, int level,
	const struct squashfs_link_request *link)
{
	if (strcmp(request->compression, "zstd") != 0)
		return diag_error(diag, STATUS_DESCRIPTION, NULL, "unsupported-compression",
			"the store disk's linker supports only zstd, not \"%s\"; use the "
			"mksquashfs engine for other compressors",
			request->compression);
	if (level < 1 || level > ZSTD_maxCLevel())
		return diag_error(diag, STATUS_DESCRIPTION, NULL, "compression-level",
			"the zstd level must be from 1 to %d, not %d", ZSTD_maxCLevel(), level);
	if (link->block_size < BLOCK_MIN || link->block_size > BLOCK_MAX ||
		(link->block_size & (link->block_size - 1)))
		return diag_error(diag, STATUS_DESCRIPTION, NULL, "block-size",
			"the block size of squashfs must be a power of two from 4 KiB to 1 MiB, "
			"not %u bytes",
			link->block_size);
	return true;
}

static struct image *start(struct arena *arena, struct diag *diag,
	const struct store_disk_request *request, const char **settings)
{
	struct image *image = arena_alloc(arena, sizeof *image);
	image->jobs = request->jobs ? request->jobs : 1;
	image->level = request->level ? request->level : DEFAULT_LEVEL;
	image->link = (struct squashfs_link_request){
		.block_size = request->block_size ? request->block_size : DEFAULT_BLOCK,
		.level = image->level < TABLES_LEVEL ? image->level : TABLES_LEVEL,
		.time = request->time};
	*settings = arena_printf(arena, "squashfs-%d-zstd-%s-%d-%u", OBJECT_FORMAT,
		ZSTD_versionString(), image->level, image->link.block_size);
	return settings_check(diag, request, image->level, &image->link) ? image : NULL;
}

static void open_output(struct image *image, struct image_writer *writer)
{
	image->link.image = writer;
	image->linker = squashfs_linker_new(&image->link);
}

static bool pack(struct image *image, struct diag *diag, const struct packing_request *request,
	struct packing **out)
{
	if (!image->pool)
		image->pool = pool_new(image->jobs, image->link.block_size, image->level);
	*out = squashfs_packing_new(image->pool, image->link.block_size, request);
	return squashfs_packing_walk(*out, diag);
}

static bool proceed(struct image *image, struct diag *diag, bool wait, bool *moved)
{
	struct block *block = pool_retire(image->pool, wait);
	*moved = block;
	return !block || squashfs_packing_store(image->pool, diag, block);
}

static bool link_object(
	struct image *image, struct diag *diag, const char *name, const struct object *object)
{
	return squashfs_linker_add(image->linker, diag, name, object);
}

static bool finish(struct image *image, struct diag *diag, uint64_t *image_bytes, uint64_t *inodes)
{
	return squashfs_linker_finish(image->linker, diag, image_bytes, inodes);
}

static void stop(struct image *image)
{
	pool_free(image->pool);
	image->pool = NULL;
}

static void free_image(struct image *image)
{
	squashfs_linker_free(image->linker);
}

const struct image_format squashfs_format = {
	.start = start,
	.open = open_output,
	.pack = pack,
	.proceed = proceed,
	.link = link_object,
	.finish = finish,
	.stop = stop,
	.free = free_image,
};

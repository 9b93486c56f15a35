/* SPDX-License-Identifier: MIT */
/*
 * Links arbitrary bytes as a cache object into images, twice into each. Hashes are corrected first,
 * as in object_fuzz.c.
 */
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/arena.h"
#include "imaging/erofs/link.h"
#include "imaging/disk/writer.h"
#include "imaging/cache/object.h"
#include "imaging/squashfs/link.h"
#include "tests/fuzz/memory_file.h"
#include "tests/fuzz/object_mend.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct image_writer *image_new(struct arena *arena, struct diag *diag)
{
	struct image_writer *image = image_writer_new(
		diag, arena_printf(arena, "/dev/shm/mvm-link-fuzz-%ld", (long)getpid()), true);
	if (!image)
		abort();
	return image;
}

static void link_squashfs(struct arena *arena, struct diag *diag, const struct object *object)
{
	uint64_t bytes, inodes;
	struct image_writer *image = image_new(arena, diag);
	const struct squashfs_link_request request = {
		.image = image, .block_size = 131072, .level = 1};
	struct squashfs_linker *linker = squashfs_linker_new(&request);
	if (squashfs_linker_add(linker, diag, "one", object) &&
		squashfs_linker_add(linker, diag, "two", object))
		squashfs_linker_finish(linker, diag, &bytes, &inodes);
	squashfs_linker_free(linker);
	image_writer_free(image);
}

static void link_erofs(struct arena *arena, struct diag *diag, const struct object *object)
{
	uint64_t bytes, inodes;
	struct image_writer *image = image_new(arena, diag);
	struct erofs_linker *linker = erofs_linker_new(image, 1);
	if (erofs_linker_add(linker, diag, "one", object) &&
		erofs_linker_add(linker, diag, "two", object))
		erofs_linker_finish(linker, diag, &bytes, &inodes);
	erofs_linker_free(linker);
	image_writer_free(image); /* deletes the unfinished image */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct object_identity identity = {.name = "name", .settings = "settings"};
	struct object object;
	unsigned char *bytes = malloc(size + 1);
	if (!bytes)
		abort();
	memcpy(bytes, data, size);
	object_mend(bytes, size, &identity);
	if (!object_open_memory(bytes, size, &identity, &object))
		return 0;
	struct arena *arena = arena_new();
	struct diag *diag = diag_new(arena);
	link_squashfs(arena, diag, &object);
	link_erofs(arena, diag, &object);
	object_close(&object);
	arena_free(arena);
	return 0;
}

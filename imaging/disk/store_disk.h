/* SPDX-License-Identifier: MIT */
/*
 * store_disk: the read-only image of a closure; its paths stand at the image root, ready to be
 * mounted on the store directory.
 */
#ifndef MVM_IMAGING_DISK_STORE_DISK_H
#define MVM_IMAGING_DISK_STORE_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "imaging/disk/verity.h"
#include "imaging/store/store_path.h"

struct cache_sharing;
struct image_format;

struct store_disk_request {
	/* squashfs_format or erofs_format; the engines that make whole images do not use it */
	const struct image_format *format;
	const struct closure *closure;
	const char *output; /* the file to create; must not exist */
	/* objects are kept here (created 0700); NULL: made in `scratch_dir` and dropped */
	const char *cache_dir;
	const struct cache_sharing *sharing; /* further caches to look into; NULL: none */
	const char *scratch_dir;             /* an existing directory for temporary files */
	const char *compression; /* squashfs: "zstd", with mksquashfs what that takes; erofs: what
				    mkfs.erofs takes; "none" for none */
	const struct pos *compression_pos; /* where that was said; NULL: nowhere */
	int level; /* of the compressor; 0: its default here (squashfs's zstd: 3) */
	/* bytes, a power of two from 4 KiB to 1 MiB; 0: 131072 for squashfs, 4096 for erofs */
	uint32_t block_size;
	/* erofs: ends of compressed files beside their inodes, which Linux 5.17 understands */
	bool tail_packing;
	const char *const
		*features; /* of mkfs.erofs, for store_disk_mkfs_erofs: "fragments", "dedupe" */
	size_t nfeatures;
	unsigned jobs; /* threads, at least 1 */
	/* the image is left to the page cache: it is read soon, or whoever takes it syncs it */
	bool cached;
	uint32_t time; /* seconds since 1970 of every inode */
	/*
	 * Closure->n places for the bytes of each path's compressed data, which paths with the same
	 * content both count; NULL: not wanted. Left as they are where nobody knows: by engines
	 * that make the image as a whole.
	 */
	int64_t *stored;
	/* Called from the caller's thread now and then; NULL: nobody listens. */
	void (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes);
	void *progress_context;
};

struct store_disk_result {
	uint64_t image_bytes, content_bytes; /* of the image; of all files in it */
	uint64_t inodes;
	struct verity verity;  /* behind the image, and in image_bytes */
	size_t packed, reused; /* store paths compressed now; taken from the cache */
};

/* Links the image from one cached object per store path. On failure there is no output. */
bool store_disk_link(struct diag *diag, const struct store_disk_request *request,
	struct store_disk_result *result);
/*
 * Fills `stored` for the paths that the cache has, without making anything; `output` and
 * `scratch_dir` are not needed.
 */
void store_disk_peek(const struct store_disk_request *request);
/* Makes the same tree with mkfs.erofs, 1.7 or later. On failure there is no output. */
bool store_disk_mkfs_erofs(struct diag *diag, const struct store_disk_request *request,
	struct store_disk_result *result);
/* Makes the same tree with mksquashfs. On failure there is no output. */
bool store_disk_mksquashfs(struct diag *diag, const struct store_disk_request *request,
	struct store_disk_result *result);

#endif

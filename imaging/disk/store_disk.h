/* SPDX-License-Identifier: MIT */
/*
 * store_disk: makes the read-only image of a closure. The store paths are in the image's root,
 * which the guest mounts on the store directory.
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
	/* squashfs_format or erofs_format; unused by the engines that make whole images */
	const struct image_format *format;
	const struct closure *closure;
	const char *output; /* the file to create; must not exist */
	/*
	 * the cache of objects (created with mode 0700); NULL: objects are temporary files in
	 * `scratch_dir`
	 */
	const char *cache_dir;
	const struct cache_sharing *sharing; /* further caches that are only read; NULL: none */
	const char *scratch_dir;             /* an existing directory for temporary files */
	/*
	 * squashfs: "zstd", or any that mksquashfs supports; erofs: any that mkfs.erofs supports;
	 * "none" for none
	 */
	const char *compression;
	/* position of `compression` in the description; NULL: none */
	const struct pos *compression_pos;
	int level; /* of the compressor; 0: our default (3 for squashfs's zstd) */
	/* bytes, a power of two from 4 KiB to 1 MiB; 0: 131072 for squashfs, 4096 for erofs */
	uint32_t block_size;
	/* erofs: stores ends of compressed files beside their inodes, which needs Linux 5.17 */
	bool tail_packing;
	/* of mkfs.erofs, for store_disk_mkfs_erofs: "fragments", "dedupe" */
	const char *const *features;
	size_t nfeatures;
	unsigned jobs; /* threads, at least 1 */
	/* leave the image in the page cache unsynced: it is read soon, or the caller syncs it */
	bool cached;
	/* trust the recorded hashes of store paths; only store_disk_plain_erofs does */
	bool trusted;
	/* the image's size is a multiple of this, a power of two; 0: of 4096 */
	uint32_t alignment;
	uint32_t time; /* mtime of every inode, in seconds since 1970 */
	/*
	 * NULL, or closure->n elements that receive the bytes of each path's compressed data; data
	 * that paths share counts for each. Unchanged by engines that make the image as a whole.
	 */
	int64_t *stored;
	/* Called from the caller's thread now and then; may be NULL. */
	void (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes);
	/* Called before a store path is packed; may be NULL. */
	void (*path_begins)(void *context, const char *path);
	void *progress_context; /* of both */
};

struct store_disk_result {
	uint64_t image_bytes, content_bytes; /* of the image; of all files in it */
	uint64_t inodes;
	uint64_t shared_bytes; /* blocks that the image shares with the store's files */
	struct verity verity;  /* after the image's data, included in image_bytes */
	size_t packed, reused; /* store paths that were compressed now; that the cache had */
};

/* Links the image from one cached object per store path. On failure there is no output. */
bool store_disk_link(struct diag *diag, const struct store_disk_request *request,
	struct store_disk_result *result);
/*
 * Packs the paths that no cache of the request has into request->cache_dir, and makes no image;
 * `output` is unused.
 */
bool store_disk_pack(struct diag *diag, const struct store_disk_request *request,
	struct store_disk_result *result);
/*
 * Fills `stored` for the paths that the cache has, without creating anything; `output` and
 * `scratch_dir` are unused.
 */
void store_disk_peek(const struct store_disk_request *request);
/*
 * Makes an erofs without compression from the store's files, with which it shares blocks where the
 * file system can. It needs neither tools nor a cache. On failure there is no output.
 */
bool store_disk_plain_erofs(struct diag *diag, const struct store_disk_request *request,
	struct store_disk_result *result);
/* Makes the same tree with mkfs.erofs 1.7 or later. On failure there is no output. */
bool store_disk_mkfs_erofs(struct diag *diag, const struct store_disk_request *request,
	struct store_disk_result *result);
/* Makes the same tree with mksquashfs. On failure there is no output. */
bool store_disk_mksquashfs(struct diag *diag, const struct store_disk_request *request,
	struct store_disk_result *result);

#endif

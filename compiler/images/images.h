/* SPDX-License-Identifier: MIT */
/* images: makes the files of a plan, in a directory that becomes the runner. */
#ifndef MVM_COMPILER_IMAGES_IMAGES_H
#define MVM_COMPILER_IMAGES_IMAGES_H

#include <stdbool.h>

#include "compiler/plan/plan.h"
#include "imaging/disk/store_disk.h"

struct image_settings {
	const char *cache_dir;               /* NULL: none */
	const struct cache_sharing *sharing; /* NULL: none */
	unsigned jobs;
	bool force;   /* rebuild even if the output is up to date */
	bool no_sync; /* do not wait until the output is on disk, so a crash of the machine may lose
			 it */
	/* as in struct store_disk_request */
	void (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes);
	void (*path_begins)(void *context, const char *path);
	void *progress_context;
	const char *store_disk; /* made before by disk_image_make_shared; NULL: none */
	/* a directory of files that many runners contain as hard links; NULL: share no files */
	const char *common;
};

struct image_results {
	struct store_disk_result store_disk; /* only the hash tree, if the disk was made before */
	uint64_t disk_bytes; /* size of the store disk, whether made now or before */
	/* compressed bytes of each path of the closure, in its order; -1: unknown */
	int64_t *stored;
	uint64_t initrd_bytes;
};

/* `runner` is the absolute path of the directory, in which RUNNER_SHARE must exist. */
bool images_make(struct arena *arena, struct diag *diag, const struct plan *plan,
	const struct image_settings *settings, const char *runner, struct image_results *results);

#endif

/* SPDX-License-Identifier: MIT */
/* images: make the files that a plan asks for, inside a directory that is to become the runner. */
#ifndef MVM_COMPILER_IMAGES_IMAGES_H
#define MVM_COMPILER_IMAGES_IMAGES_H

#include <stdbool.h>

#include "compiler/plan/plan.h"
#include "imaging/disk/store_disk.h"

struct image_settings {
	const char *cache_dir;               /* NULL: none */
	const struct cache_sharing *sharing; /* NULL: none */
	unsigned jobs;
	bool force;   /* even where what is there is up to date */
	bool no_sync; /* a crash of the machine may take the output: nothing waits for the disk */
	void (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes);
	void *progress_context;
	const char *store_disk; /* made already, by disk_image_make_shared; NULL: it is not */
	/*
	 * a directory of files that many runners have, hard links of each other; NULL: the runner
	 * is alone
	 */
	const char *common;
};

struct image_results {
	struct store_disk_result store_disk; /* of one that was made before: its hash tree alone */
	uint64_t disk_bytes;                 /* of the store disk, made now or before */
	/*
	 * bytes of each path's compressed data, -1 where nobody knows; a place for each path of the
	 * closure
	 */
	int64_t *stored;
	uint64_t initrd_bytes;
};

/* `runner` is the directory, absolute; RUNNER_SHARE in it exists. */
bool images_make(struct arena *arena, struct diag *diag, const struct plan *plan,
	const struct image_settings *settings, const char *runner, struct image_results *results);

#endif

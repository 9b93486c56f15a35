/* SPDX-License-Identifier: MIT */
/* images: make the files that a plan asks for, inside a directory that is to become the runner. */
#ifndef MVM_IMAGES_H
#define MVM_IMAGES_H

#include <stdbool.h>

#include "compiler/plan.h"
#include "imaging/store_disk.h"

struct image_settings {
	const char *cache_dir; /* NULL: none */
	unsigned jobs;
	void (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes);
	void *progress_context;
};

struct image_results {
	struct store_disk_result store_disk;
	uint64_t initrd_bytes;
};

/* `runner` is the directory, absolute; RUNNER_SHARE in it exists. */
bool images_make(struct arena *arena, struct diag *diag, const struct plan *plan, const struct image_settings *settings, const char *runner,
		 struct image_results *results);

#endif

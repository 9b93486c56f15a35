/* SPDX-License-Identifier: MIT */
/* disk_image: the store disk of a plan, made for one runner, or once for several VMs. */
#ifndef MVM_COMPILER_IMAGES_DISK_IMAGE_H
#define MVM_COMPILER_IMAGES_DISK_IMAGE_H

#include "compiler/images/images.h"

/* What a store disk's contents depend on, as hex digits: VMs with the same need one disk. */
const char *disk_image_key(struct arena *arena, const struct plan *plan);
/*
 * Makes a store disk for several VMs, as `output`, and beside it its sizes by path; `scratch` is an
 * existing directory.
 */
bool disk_image_make_shared(struct arena *arena, struct diag *diag, const struct plan *plan,
	const struct image_settings *settings, const char *scratch, const char *output,
	struct store_disk_result *result);
/* The file with the sizes of such a disk. */
const char *disk_image_sizes(struct arena *arena, const char *disk);

/* For image_results.stored, to begin with. */
int64_t *disk_image_nothing_known(struct arena *arena, const struct plan *plan);
/* Makes a runner's store disk, or takes settings->store_disk, and tells of it in `results`. */
bool disk_image_make(struct arena *arena, struct diag *diag, const struct plan *plan,
	const struct image_settings *settings, const char *scratch, const char *output,
	struct image_results *results);
/* What image_results.stored would be, as far as the cache has the paths already. Makes nothing. */
int64_t *disk_image_peek(struct arena *arena, const struct plan *plan, const char *cache_dir,
	const struct cache_sharing *sharing);

#endif

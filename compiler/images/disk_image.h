/* SPDX-License-Identifier: MIT */
/* disk_image: makes the store disk of a plan, for one runner or once for several VMs. */
#ifndef MVM_COMPILER_IMAGES_DISK_IMAGE_H
#define MVM_COMPILER_IMAGES_DISK_IMAGE_H

#include <sys/types.h>

#include "compiler/images/images.h"
#include "compiler/linked/link_list.h"

/* The list from which a host links the store disk of a plan. */
struct link_list disk_image_list(const struct plan *plan);

/* A key of all inputs of a store disk, in hex digits. VMs with equal keys share one disk. */
const char *disk_image_key(struct arena *arena, const struct plan *plan);
/*
 * Makes a store disk for several VMs as `output`, and a file with its sizes per path beside it;
 * `scratch` is an existing directory.
 */
bool disk_image_make_shared(struct arena *arena, struct diag *diag, const struct plan *plan,
	const struct image_settings *settings, const char *scratch, const char *output,
	struct store_disk_result *result);
/* The file with the sizes of such a disk. */
const char *disk_image_sizes(struct arena *arena, const char *disk);

/*
 * The mode of a published store disk. Everybody may read Nix's store; a root file system has
 * secrets, such as password hashes and host keys, so that only the builder may read its disk.
 * set-booted lets the VMs' group read it, too.
 */
mode_t disk_image_mode(const struct plan *plan);

/* The initial value of image_results.stored. */
int64_t *disk_image_nothing_known(struct arena *arena, const struct plan *plan);
/* Makes a runner's store disk, or uses settings->store_disk, and describes it in `results`. */
bool disk_image_make(struct arena *arena, struct diag *diag, const struct plan *plan,
	const struct image_settings *settings, const char *scratch, const char *output,
	struct image_results *results);
/*
 * Packs the closure of a plan into settings->cache_dir, and makes no disk. The plan needs only its
 * `vm` and `closure`; `scratch` is an existing directory.
 */
bool disk_image_pack(struct diag *diag, const struct plan *plan,
	const struct image_settings *settings, const char *scratch,
	struct store_disk_result *result);
/* Predicts image_results.stored for the paths that are in the cache. Makes nothing. */
int64_t *disk_image_peek(struct arena *arena, const struct plan *plan, const char *cache_dir,
	const struct cache_sharing *sharing);

#endif

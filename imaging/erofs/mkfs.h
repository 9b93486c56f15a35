/* SPDX-License-Identifier: MIT */
/*
 * mkfs: the mkfs.erofs of this machine: what it can, and how it is told. Versions differ: Debian
 * 12's 1.5 takes one directory and no more.
 */
#ifndef MVM_IMAGING_EROFS_MKFS_H
#define MVM_IMAGING_EROFS_MKFS_H

#include "base/arena.h"
#include "imaging/disk/store_disk.h"

struct mkfs_erofs {
	const char *version; /* "1.5" */
	unsigned major, minor;
	struct strings compressors;
	bool has_workers;     /* it may be told how many threads to use */
	bool can_dereference; /* and not to look for hard links */
};

/* Asks it; false, with an error, when there is none. */
bool mkfs_erofs_find(struct arena *arena, struct diag *diag, struct mkfs_erofs *out);
/*
 * A word for the compressors' libraries that it loads: their versions change the bytes, and it does
 * not tell them. "own" when it has them inside, or when it is a script.
 */
const char *mkfs_erofs_libraries(struct arena *arena, struct diag *diag);
bool mkfs_erofs_is_at_least(const struct mkfs_erofs *tool, unsigned major, unsigned minor);
/* Whether it compresses as the request wants; an error says what it can. */
bool mkfs_erofs_check(struct arena *arena, struct diag *diag, const struct mkfs_erofs *tool,
	const struct store_disk_request *request);
/*
 * The command up to its options that are the same for every image: an image and a source are still
 * to come. `workers`: threads.
 */
void mkfs_erofs_command(struct arena *arena, const struct mkfs_erofs *tool,
	const struct store_disk_request *request, unsigned workers, struct strings *argv);

#endif

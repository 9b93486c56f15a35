/* SPDX-License-Identifier: MIT */
/*
 * mkfs: the abilities of this machine's mkfs.erofs, and its command line. Versions differ: Debian
 * 12's 1.5 accepts only a single directory.
 */
#ifndef MVM_IMAGING_EROFS_MKFS_H
#define MVM_IMAGING_EROFS_MKFS_H

#include "base/arena.h"
#include "imaging/disk/store_disk.h"

struct mkfs_erofs {
	const char *version; /* "1.5" */
	unsigned major, minor;
	struct strings compressors;
	bool has_workers;     /* accepts the number of threads */
	bool can_dereference; /* can ignore hard links */
};

/* Runs it to find its abilities; false with an error if it is missing. */
bool mkfs_erofs_find(struct arena *arena, struct diag *diag, struct mkfs_erofs *out);
/*
 * Returns a word that identifies the compression libraries that it loads: their versions change the
 * bytes, and mkfs.erofs does not print them. "own" if it is static, or a script.
 */
const char *mkfs_erofs_libraries(struct arena *arena, struct diag *diag);
bool mkfs_erofs_is_at_least(const struct mkfs_erofs *tool, unsigned major, unsigned minor);
/* Checks level and cluster size, whose limits are the same without the tool. */
bool mkfs_erofs_check_settings(struct diag *diag, const struct store_disk_request *request);
/*
 * As mkfs_erofs_check_settings, and whether it supports the request's compression; an error lists
 * what it supports.
 */
bool mkfs_erofs_check(struct arena *arena, struct diag *diag, const struct mkfs_erofs *tool,
	const struct store_disk_request *request);
/*
 * Appends the command with all options that are the same for every image; the names of image and
 * source must follow. `workers`: threads.
 */
void mkfs_erofs_command(struct arena *arena, const struct mkfs_erofs *tool,
	const struct store_disk_request *request, unsigned workers, struct strings *argv);

#endif

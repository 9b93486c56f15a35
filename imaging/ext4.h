/* SPDX-License-Identifier: MIT */
/* ext4: a new, empty, reproducible ext4 file system in a sparse file, made in process. */
#ifndef MVM_EXT4_H
#define MVM_EXT4_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler/base/diag.h"

/*
 * The sizes that ext4_create takes. Below the minimum there is no room for a journal; above the maximum, 2^32 blocks, there is no resize
 * inode. (A host whose own file system is ext4 holds files of one block less than the maximum.)
 */
enum { EXT4_MINIMUM_MIB = 8, EXT4_MAXIMUM_MIB = 16 * 1024 * 1024 };
enum { EXT4_LABEL_BYTES = 16 };

struct ext4_request {
	const char *path;    /* the file to create; must not exist */
	uint64_t size_bytes; /* a multiple of 1 MiB */
	const char *label;   /* at most 16 bytes; NULL: none */
	const char *seed;    /* UUID and hash seed derive from it: two volumes want two seeds */
	uint32_t time;       /* seconds since 1970 of every time stamp; 0 counts as 1 */
};

/*
 * Makes what Debian 12's mkfs.ext4 makes by default, except that blocks have 4 KiB at any size (a volume may grow, its blocks cannot) and that
 * nothing is left for the guest to initialise. Depends on the request alone, not on the environment. On failure there is no file.
 */
bool ext4_create(struct diag *diag, const struct ext4_request *request);

/* The UUID that ext4_create gives for `seed`. */
void ext4_uuid(const char *seed, uint8_t uuid[16]);

#endif

/* SPDX-License-Identifier: MIT */
/* ext4: a new, empty, reproducible ext4 file system in a sparse file, made in process. */
#ifndef MVM_EXT4_H
#define MVM_EXT4_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler/base/diag.h"

/* The smallest size that ext4_create takes: below it there is no room for a journal. */
enum { EXT4_MINIMUM_MIB = 8 };

struct ext4_request {
	const char *path;    /* the file to create; must not exist */
	uint64_t size_bytes; /* a multiple of 1 MiB */
	const char *label;   /* at most 16 bytes; NULL: none */
	const char *seed;    /* UUID and hash seed derive from it: two volumes want two seeds */
	uint32_t time;       /* seconds since 1970 of every time stamp */
};

bool ext4_create(struct diag *diag, const struct ext4_request *request);

/* The UUID that ext4_create gives for `seed`. */
void ext4_uuid(const char *seed, uint8_t uuid[16]);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * identity: distinguishes new file systems reproducibly: the same in every build of the same
 * volume.
 */
#ifndef MVM_IMAGING_VOLUME_IDENTITY_H
#define MVM_IMAGING_VOLUME_IDENTITY_H

#include <stdint.h>

struct arena;

struct identity {
	uint8_t uuid[16], hash_seed[16];
};

/* Derived only from `seed`, so each file system needs its own. */
struct identity identity_of(const char *seed);
/* 8-4-4-4-12 hex digits, lower case. */
const char *uuid_text(struct arena *arena, const uint8_t uuid[16]);

#endif

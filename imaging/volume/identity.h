/* SPDX-License-Identifier: MIT */
/*
 * identity: what tells one new file system from another, the same in every build of the same thing.
 */
#ifndef MVM_IMAGING_VOLUME_IDENTITY_H
#define MVM_IMAGING_VOLUME_IDENTITY_H

#include <stdint.h>

struct arena;

struct identity {
	uint8_t uuid[16], hash_seed[16];
};

/* Derived from `seed` alone: two file systems want two seeds. */
struct identity identity_of(const char *seed);
/* 8-4-4-4-12 hex digits, lower case. */
const char *uuid_text(struct arena *arena, const uint8_t uuid[16]);

#endif

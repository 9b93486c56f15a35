/* SPDX-License-Identifier: MIT */
/*
 * known: finds files of a store path whose content is already in its object, so that equal files
 * are stored once.
 */
#ifndef MVM_IMAGING_CACHE_KNOWN_H
#define MVM_IMAGING_CACHE_KNOWN_H

#include "base/arena.h"
#include "base/table.h"
#include "imaging/cache/packing.h"

struct known_directory {
	uint32_t number;
	const char *path; /* below the root; "" for the root itself */
};

struct known_files {
	struct packing *packing;
	uint32_t block_size;
	struct table table;     /* of records' offsets / 8, by a hash of a file's start */
	unsigned char *compare; /* two buffers of a block; NULL until needed */
	struct arena *arena;    /* of the directories, sorted by number */
	VEC(struct known_directory) directories;
};

void known_begin(struct known_files *known, struct packing *packing, uint32_t block_size);
void known_free(struct known_files *known);

/* Called when the walk enters a directory. */
void known_enter_directory(struct known_files *known, uint32_t number);
/* Adds the file of the record at offset `record`; `hash` is that of its start. */
void known_add(struct known_files *known, uint64_t hash, uint64_t record);
/*
 * Returns the record offset / 8 of a file with exactly the `size` bytes that are in `fd`;
 * OBJECT_OWN_CONTENT if there is no such file. `start`, `n` bytes with that hash, was read from
 * `fd` and given to the walk already. All bytes are compared. If a file is found, the rest of its
 * bytes is given to the walk.
 */
uint32_t known_find(struct known_files *known, uint64_t hash, int fd, const unsigned char *start,
	size_t n, uint64_t size);

#endif

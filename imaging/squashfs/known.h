/* SPDX-License-Identifier: MIT */
/*
 * known: the files of a store path whose content is in its object already, so that equal ones are
 * stored once.
 */
#ifndef MVM_IMAGING_SQUASHFS_KNOWN_H
#define MVM_IMAGING_SQUASHFS_KNOWN_H

#include "imaging/cache/packing_internal.h"

struct known_file;

struct known_directory {
	uint32_t number;
	const char *path; /* below the root, "" for itself */
};

struct known_files {
	struct packing *packing;
	uint32_t block_size;
	struct known_file *v; /* open addressing */
	size_t n, slots;
	unsigned char *compare; /* two buffers of a block; NULL until then */
	struct arena *arena;    /* of the directories, in the order of their numbers */
	VEC(struct known_directory) directories;
};

void known_begin(struct known_files *known, struct packing *packing, uint32_t block_size);
void known_free(struct known_files *known);

/* The walk comes to a directory. */
void known_enter_directory(struct known_files *known, uint32_t number);
/* The file of the record at `record` begins with what has this hash. */
void known_add(struct known_files *known, uint64_t hash, uint64_t record);
/*
 * The place of the record (/ 8) of a file that holds exactly the `size` bytes that are in `fd`;
 * OBJECT_OWN_CONTENT when none does. `start`, of `n` bytes and with that hash, were read from `fd`
 * and given to the walk already. All bytes are compared; those of a file that is known go to the
 * walk.
 */
uint32_t known_find(struct known_files *known, uint64_t hash, int fd, const unsigned char *start,
	size_t n, uint64_t size);

#endif

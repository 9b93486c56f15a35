/* SPDX-License-Identifier: MIT */
/*
 * packing_internal: the inside of a packing, for those who make one: packing_walk.c makes records
 * of the tree, imaging/squashfs/pack.c or imaging/erofs/pack.c takes the contents of its files.
 */
#ifndef MVM_IMAGING_CACHE_PACKING_INTERNAL_H
#define MVM_IMAGING_CACHE_PACKING_INTERNAL_H

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/arena.h"
#include "base/buf.h"
#include "imaging/cache/packing.h"
#include "imaging/store/store_walk.h"

struct packing {
	/* Takes a file that the walk came to; `fd` is at its start, `record` lacks the count. */
	bool (*add_file)(struct packing *packing, struct diag *diag, int fd,
		struct object_record record, uint64_t size, const char *name);
	/* Told of each directory before what it holds; NULL: not interested. */
	void (*enter_directory)(struct packing *packing, uint32_t number);
	const char *root;
	struct object_identity identity;
	void (*progress)(void *context, uint64_t read_bytes);
	void *progress_context;
	uint64_t read_bytes;
	char *target;
	int fd;

	struct buf records, fragments;
	uint64_t data_bytes;
	XXH3_state_t *data_hash;
	unsigned char setup[32];            /* of the footer */
	char nar_hash[NAR_HASH_DIGITS + 1]; /* of what was packed */
	struct store_walk walk;             /* freed when it is over, but for its numbers */
	bool walked;
};

/* `packing` is zeroed memory. */
void packing_init(struct packing *packing, const struct packing_request *request);
void packing_release(struct packing *packing);
/*
 * Reads the tree: makes the records of directories and links, and calls `add_file`. With `hashed`,
 * that one gives contents to the walk, and what was read is compared with the hash that is known.
 */
bool packing_walk(struct packing *packing, struct diag *diag, bool hashed);
/* Appends to the data. */
bool packing_write(struct packing *packing, struct diag *diag, const void *bytes, size_t count);
void packing_progress(struct packing *packing, uint64_t more_bytes);

/* Opens a record up to its payload; `file` for files alone. Returns its place. */
uint64_t packing_record_begin(struct packing *packing, struct object_record record,
	const struct object_file *file, const char *name);
void packing_record_end(struct packing *packing);

#endif

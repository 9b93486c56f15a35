/* SPDX-License-Identifier: MIT */
/* object_packing: what the two halves of making an object share: object_walk.c reads the tree, object_pack.c takes its contents. */
#ifndef MVM_OBJECT_PACKING_H
#define MVM_OBJECT_PACKING_H

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "compiler/base/arena.h"
#include "compiler/base/buf.h"
#include "imaging/object_pack.h"

/* A file whose content is in the object, found by a hash of its start; bytes are compared before they are shared. */
struct known_file {
	uint64_t hash;
	uint32_t record;    /* place in the records / 8 */
	uint32_t directory; /* index of its directory's path */
};

struct packing {
	struct compress_pool *pool;
	uint32_t block_size;
	const char *root;
	struct object_identity identity;
	void (*progress)(void *context, uint64_t read_bytes);
	void *progress_context;
	uint64_t read_bytes;
	char *target;
	int fd;

	struct buf records, fragments;
	uint64_t data_bytes, content_bytes;
	XXH3_state_t *data_hash;
	uint32_t inodes;
	size_t pending; /* blocks submitted and not stored */
	bool walked;
	struct block *fragment; /* being filled; NULL when none is */
	uint32_t nfragments;

	struct buf path;                 /* of what is read now, for messages */
	struct arena *arena;             /* what only the walk needs: */
	struct strings directories;      /* below the root, "" for itself */
	uint32_t directory;              /* index of the one being read */
	struct known_file *known;        /* open addressing; record is EMPTY_SLOT where free */
	size_t nknown, known_slots;
	unsigned char *compare;          /* two buffers of a block and a byte */
};


/* Opens a record up to its payload; `file` for files alone. Returns its place. */
uint64_t packing_record_begin(struct packing *packing, struct object_record record, const struct object_file *file, const char *name);
void packing_record_end(struct packing *packing);
/* `fd` is at its start. */
bool packing_add_file(struct packing *packing, struct diag *diag, int fd, struct object_record record, uint64_t size, const char *name);
void packing_submit_fragment(struct packing *packing);
/* Gives back what only the walk needed. */
void packing_walk_end(struct packing *packing);
/* Errors about the file at `path`; false. */
bool packing_read_failed(const struct packing *packing, struct diag *diag);
bool packing_source_changed(const struct packing *packing, struct diag *diag);

#endif

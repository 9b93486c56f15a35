/* SPDX-License-Identifier: MIT */
/*
 * packing: the part of making a store path's object that all file systems share. packing_walk.c
 * makes records of the tree; imaging/squashfs/pack.c or imaging/erofs/pack.c packs the contents of
 * its files.
 */
#ifndef MVM_IMAGING_CACHE_PACKING_H
#define MVM_IMAGING_CACHE_PACKING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/diag.h"
#include "imaging/cache/object.h"
#include "imaging/store/store_walk.h"

struct packing;

struct packing_request {
	const char *path;                /* of the tree; outlives the packing */
	bool whole;                      /* a root file system, packed with its attributes */
	struct object_identity identity; /* its strings outlive the packing */
	/* an empty file, open for reading and writing; the packing owns it */
	int fd;
	const char *target; /* the file's name for errors; copied */
	/* Called while the tree is read, with the bytes read since the last call. */
	void (*progress)(void *context, uint64_t more_bytes);
	void *progress_context;
};

struct packing {
	/* Packs a file that the walk reached; `fd` is at its start, `record` has no count yet. */
	bool (*add_file)(struct packing *packing, struct diag *diag, int fd,
		struct object_record record, uint64_t size, const char *name);
	/* Called for each directory before its entries; may be NULL. */
	void (*enter_directory)(struct packing *packing, uint32_t number);
	/* Whether it has been walked and no compression is under way. */
	bool (*is_complete)(const struct packing *packing);
	/* Unless it is complete, the image must have been stopped first. */
	void (*free)(struct packing *packing);
	const char *root;
	bool whole;
	struct object_identity identity;
	void (*progress)(void *context, uint64_t more_bytes);
	void *progress_context;
	uint64_t read_bytes; /* reported as progress */
	char *target;
	int fd;

	struct buf records, fragments;
	uint64_t data_bytes;
	unsigned char *gathered; /* the end of the data, which is not written yet */
	size_t gathered_bytes;
	void *data_hash;                    /* XXH3_state_t */
	unsigned char setup[32];            /* of the footer */
	char nar_hash[NAR_HASH_DIGITS + 1]; /* of the NAR that was packed */
	struct store_walk walk;             /* freed after the walk, except for its numbers */
	bool walked;
};

/* `packing` is zeroed memory. */
void packing_init(struct packing *packing, const struct packing_request *request);
void packing_release(struct packing *packing);
/*
 * Reads the tree: makes the records of directories and links, and calls `add_file`. With `hashed`,
 * `add_file` feeds contents to the walk, and the NAR hash is compared with the expected one.
 */
bool packing_walk(struct packing *packing, struct diag *diag, bool hashed);
/*
 * Whether a root file system still has the hash under which it was planned; else records an error.
 */
bool packing_unchanged(const struct packing *packing, struct diag *diag);
/* Appends to the data. */
bool packing_write(struct packing *packing, struct diag *diag, const void *bytes, size_t count);
void packing_progress(struct packing *packing, uint64_t more_bytes);
/* Reports the rest, such as files that are stored once for several names. */
void packing_progress_end(struct packing *packing);

/* Adds the attributes of the node whose record follows; nothing if it has none. */
void packing_attributes(struct packing *packing, const struct store_node *node);
/* Begins a record, up to its payload; `file` is given only for files. Returns its offset. */
uint64_t packing_record_begin(struct packing *packing, struct object_record record,
	const struct object_file *file, const char *name);
void packing_record_end(struct packing *packing);
/* Writes the tables. Moves the file to the object; the packing is empty afterwards. */
bool packing_finish(struct packing *packing, struct diag *diag, struct object *out);
/* Returns the bytes of all files of the tree, after the walk. */
uint64_t packing_content_bytes(const struct packing *packing);

#endif

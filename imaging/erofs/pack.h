/* SPDX-License-Identifier: MIT */
/*
 * pack: makes erofs objects with compressors that only mkfs.erofs has. One mkfs.erofs per path
 * compresses the files; the object takes only their contents from its image.
 */
#ifndef MVM_IMAGING_EROFS_PACK_H
#define MVM_IMAGING_EROFS_PACK_H

#include "imaging/cache/packing.h"
#include "imaging/disk/store_disk.h"

struct arena;
struct strings;
struct process;

struct packing *erofs_packing_new(const struct packing_request *request);
/*
 * Reads the tree, and starts `command` with the names of an image and a source added; names of
 * temporary files start with SCRATCH. *process is NULL if there is nothing to compress: the packing
 * is complete then.
 */
bool erofs_packing_start(struct packing *packing, struct diag *diag, const struct strings *command,
	const char *scratch, struct process **process);
/* Reports the bytes that the process has read so far as progress. */
void erofs_packing_watch(struct packing *packing, const struct process *process);
/* Reads the image of the process, which has ended. */
bool erofs_packing_take(struct packing *packing, struct diag *diag, struct process *process);

#endif

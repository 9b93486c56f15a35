/* SPDX-License-Identifier: MIT */
/*
 * pack: makes erofs objects. mkfs.erofs, one for each path, compresses; of its image the object
 * takes the contents of files, and no more.
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
 * Reads the tree and starts `command` with an image and a source added; temporary files are called
 * SCRATCH and something. *process is NULL when there is nothing to compress: the packing is
 * complete then.
 */
bool erofs_packing_start(struct packing *packing, struct diag *diag, const struct strings *command,
	const char *scratch, struct process **process);
/* The process has ended: takes what it made. */
bool erofs_packing_take(struct packing *packing, struct diag *diag, struct process *process);
bool erofs_packing_is_complete(const struct packing *packing);
/* Its process must have ended. */
void erofs_packing_free(struct packing *packing);

#endif

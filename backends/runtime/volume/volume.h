/* SPDX-License-Identifier: MIT */
/* volume: the image of a volume that is to have another size. */
#ifndef MVM_BACKENDS_RUNTIME_VOLUME_VOLUME_H
#define MVM_BACKENDS_RUNTIME_VOLUME_VOLUME_H

#include "backends/runtime/base/runtime.h"

struct volume {
	char *path; /* without symbolic links */
	int fd;
	bool locked;     /* by whoever gave us the descriptor */
	uint64_t bytes;  /* of the image */
	uint64_t wanted; /* likewise, from the description */
	/* NULL: it holds something else than the description says */
	const struct volume_kind *kind;
};

/* ext_grow.c. Whether it has an ext journal to be carried out, by whoever may write to it. */
bool ext_is_unclean(int image);
/* What it needs is installed? */
bool ext_can_grow(struct reason *why);
/*
 * The file system is as large as is wanted, also in an image that another start was killed over, or
 * everything is as it was.
 */
bool ext_grow(struct volume *volume, struct reason *why);
/* Finishes what another start had begun, if one had. */
bool ext_finish(const struct volume *volume, struct reason *why);

#endif

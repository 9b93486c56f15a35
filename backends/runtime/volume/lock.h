/* SPDX-License-Identifier: MIT */
/* lock: that no two programs write one image, and nobody reads what another writes. */
#ifndef MVM_BACKENDS_RUNTIME_VOLUME_LOCK_H
#define MVM_BACKENDS_RUNTIME_VOLUME_LOCK_H

#include "backends/runtime/base/runtime.h"

enum use {
	USE_READ,  /* beside others who read */
	USE_WRITE, /* alone; the image must be open for writing */
};

/* "read" or "write"; complains about any other word. */
bool use_parse(const char *word, enum use *use);

/*
 * The lock lasts as long as the descriptor, or a copy of it in whatever process, is open. It
 * conflicts with those of all hypervisors that take any.
 */
bool image_lock(int image, enum use use, struct reason *why);
/*
 * Whether the lock could be had now. Takes none, but for an instant the kind that crosvm and Alioth
 * take (flock), which cannot be asked for.
 */
bool image_is_free(int image, enum use use, struct reason *why);

#endif

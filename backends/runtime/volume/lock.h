/* SPDX-License-Identifier: MIT */
/* lock: ensures that an image has only one writer, and no readers while it is written. */
#ifndef MVM_BACKENDS_RUNTIME_VOLUME_LOCK_H
#define MVM_BACKENDS_RUNTIME_VOLUME_LOCK_H

#include "backends/runtime/base/runtime.h"

enum use {
	USE_READ,  /* shared with other readers */
	USE_WRITE, /* exclusive; the image must be open for writing */
};

/* Parses "read" or "write"; reports any other word. */
bool use_parse(const char *word, enum use *use);

/*
 * The lock lasts until the descriptor and its copies in all processes are closed. It conflicts with
 * the locks of all hypervisors that use any.
 */
bool image_lock(int image, enum use use, struct reason *why);
/*
 * Whether the lock is available now. Takes no lock, except for an instant flock, which crosvm and
 * Alioth use and which cannot be queried.
 */
bool image_is_free(int image, enum use use, struct reason *why);

#endif

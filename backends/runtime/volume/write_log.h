/* SPDX-License-Identifier: MIT */
/*
 * write_log: changes to an image that happen as a whole. They are written to a log first; once that
 * is published by its name, whoever comes next can finish what was begun, as often as it takes:
 * each write is of whole blocks, whose bytes the log has.
 */
#ifndef MVM_BACKENDS_RUNTIME_VOLUME_WRITE_LOG_H
#define MVM_BACKENDS_RUNTIME_VOLUME_WRITE_LOG_H

#include <stddef.h>

#include "backends/runtime/base/runtime.h"

struct range {
	uint64_t offset, bytes;
};

/*
 * The image, and two sparse copies of its metadata alone: what another program made of the first
 * one is the second one.
 */
struct change {
	int image, before, after;
	/* bytes that become those of `after` even where both copies say nothing */
	struct range *ranges;
	size_t nranges;
};

/* Writes a log of what has to be written to the image; synced. */
bool patch_write(const char *log, const struct change *change, struct reason *why);

enum patch_result {
	PATCH_APPLIED,
	PATCH_STALE, /* the image has changed since, and nothing of the log is in it */
	PATCH_FAILED,
};
/*
 * Carries out what the log says, from wherever another was interrupted; the block with the
 * superblock comes last.
 */
enum patch_result patch_apply(const char *log, int image, struct reason *why);

#endif

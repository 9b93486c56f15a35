/* SPDX-License-Identifier: MIT */
/*
 * link_list: the file from which a host links a store disk: the settings of the disk, and the store
 * paths with their hashes (docs/runner.md). A runner with `storeDisk.link: host` has it in place
 * of the disk.
 */
#ifndef MVM_COMPILER_LINKED_LINK_LIST_H
#define MVM_COMPILER_LINKED_LINK_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "backends/interface/choices.h"
#include "base/arena.h"
#include "base/diag.h"
#include "imaging/disk/store_disk.h"

struct link_list {
	enum store_type type;
	enum compression compression;
	int64_t level, block_size; /* as in the description */
	bool tail_packing, verify;
	uint32_t alignment, time;
	/* with path, name and nar_hash of each store path, and no more */
	struct closure closure;
};

/* Returns the text of a list. Equal lists have equal texts. */
const char *link_list_text(struct arena *arena, const struct link_list *list);
/*
 * Parses a text; `path` names it in errors, which are STATUS_INPUT. Whatever the text is, every
 * path of the list has the name of a store path and lies directly in the store directory.
 */
bool link_list_parse(struct arena *arena, struct diag *diag, const char *path, const char *text,
	size_t length, struct link_list *out);
/*
 * Reads the list of a runner; *name becomes the name of its disk, which is the same for all runners
 * with equal lists.
 */
bool link_list_read(struct arena *arena, struct diag *diag, const char *runner,
	struct link_list *out, const char **name);
/* Returns the name of the disk of a runner, or NULL if it has no list. Never waits or fails. */
const char *link_list_disk(struct arena *arena, const char *runner);
/* Whether `name` is the name of such a disk. */
bool link_list_is_disk(const char *name);

/* Returns the part of a request that the list determines, also for a disk linked in a build. */
struct store_disk_request link_list_request(const struct link_list *list);

#endif

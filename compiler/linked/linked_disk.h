/* SPDX-License-Identifier: MIT */
/* linked_disk: links the store disk of a runner on its host, once for all runners with its list. */
#ifndef MVM_COMPILER_LINKED_LINKED_DISK_H
#define MVM_COMPILER_LINKED_LINKED_DISK_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/diag.h"

struct cache_sharing;

struct linked_disk_request {
	const char *runner;
	const char *place; /* of disk_place.h; NULL: the default */
	/* as in struct store_disk_request */
	const char *cache_dir;
	const struct cache_sharing *sharing;
	unsigned jobs;
	bool verify;     /* link an existing disk again, and compare */
	bool unreferred; /* the caller makes a reference: a VM's link */
};

enum linked_how { LINKED_FOUND, LINKED_MADE, LINKED_REPAIRED };

/*
 * Makes the disk unless the place has it; *disk becomes its path. Another process that wants the
 * same disk waits. A user who may not change the place gets a disk that is there.
 */
bool linked_disk_get(struct arena *arena, struct diag *diag,
	const struct linked_disk_request *request, const char **disk, enum linked_how *how);

#endif

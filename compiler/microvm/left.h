/* SPDX-License-Identifier: MIT */
/* left: finds the files that removed VMs have left in the state directory. */
#ifndef MVM_COMPILER_MICROVM_LEFT_H
#define MVM_COMPILER_MICROVM_LEFT_H

#include "compiler/microvm/host.h"

struct left {
	const char *name, *directory;
	struct strings files; /* except hidden ones */
};

/* Finds the directories that contain files but no VM. */
struct left *left_find(const struct host *host, size_t *count);

#endif

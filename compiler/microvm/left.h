/* SPDX-License-Identifier: MIT */
/* left: what removed VMs have left in the state directory. */
#ifndef MVM_COMPILER_MICROVM_LEFT_H
#define MVM_COMPILER_MICROVM_LEFT_H

#include "compiler/microvm/host.h"

struct left {
	const char *name, *directory;
	struct strings files; /* without hidden ones */
};

/* Finds the directories that have files and in which no VM is any more, or not yet. */
struct left *left_find(const struct host *host, size_t *count);

#endif

/* SPDX-License-Identifier: MIT */
/* required_features: finds the hypervisor features that a description requires, and where. */
#ifndef MVM_COMPILER_CHECK_REQUIRED_FEATURES_H
#define MVM_COMPILER_CHECK_REQUIRED_FEATURES_H

#include "backends/interface/backend.h"
#include "backends/interface/vm.h"

struct use {
	enum feature feature;
	const char *what;        /* "shares[0]" */
	const struct pos *where; /* NULL: not from one position */
};

struct uses {
	struct use *v;
	size_t n, capacity;
};

void vm_uses(struct arena *arena, const struct vm *vm, struct uses *uses);

#endif

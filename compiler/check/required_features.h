/* SPDX-License-Identifier: MIT */
/* required_features: which features of a hypervisor a description asks for, and where. */
#ifndef MVM_COMPILER_CHECK_REQUIRED_FEATURES_H
#define MVM_COMPILER_CHECK_REQUIRED_FEATURES_H

#include "backends/interface/backend.h"
#include "backends/interface/vm.h"

struct use {
	enum feature feature;
	const char *what;        /* "shares[0]" */
	const struct pos *where; /* NULL: nowhere in particular */
};

struct uses {
	struct use *v;
	size_t n, capacity;
};

void vm_uses(struct arena *arena, const struct vm *vm, struct uses *uses);

#endif

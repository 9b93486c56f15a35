/* SPDX-License-Identifier: MIT */
/* uses: which features of a hypervisor a description asks for, and where. */
#ifndef MVM_USES_H
#define MVM_USES_H

#include "backends/backend.h"
#include "compiler/vm.h"

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

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

/* Why a hypervisor refuses a use; NULL when it does not. In check_capabilities.c. */
const char *use_refusal(struct arena *arena, const struct backend *backend, const struct vm *vm, const struct use *use);

void vm_uses(struct arena *arena, const struct vm *vm, struct uses *uses);

#endif

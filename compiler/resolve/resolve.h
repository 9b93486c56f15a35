/* SPDX-License-Identifier: MIT */
/* resolve: fill in what the description leaves open, from the toplevel and from other options. */
#ifndef MVM_COMPILER_RESOLVE_RESOLVE_H
#define MVM_COMPILER_RESOLVE_RESOLVE_H

#include <stdbool.h>

#include "backends/interface/vm.h"
#include "imaging/kernel/kernel.h"

/* What the toplevel says of itself, and what was derived from it. */
struct system {
	const char *toplevel; /* in the store directory, symbolic links followed */
	const char *init;     /* TOPLEVEL/init */
	bool nixos;           /* it is a NixOS system */
	struct kernel kernel;
	const char *kernel_modules; /* directory for modules_resolve; NULL: none */
	const char *initrd;         /* NULL: our own stage 1 */
	struct strings parameters;  /* kernel parameters, without ours */
};

/*
 * Computes the defaults that depend on other options; needs no file of this machine. Always true.
 */
bool vm_fill(struct arena *arena, struct vm *vm);

/*
 * Finds the system (after vm_fill) and makes paths absolute. Errors: STATUS_INPUT for what is
 * missing or broken.
 */
bool vm_resolve(struct arena *arena, struct diag *diag, struct vm *vm, struct system *system);

#endif

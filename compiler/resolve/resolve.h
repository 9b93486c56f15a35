/* SPDX-License-Identifier: MIT */
/* resolve: finds what the description leaves open, in the toplevel and on this machine. */
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
 * Finds the system of a description. Errors: STATUS_INPUT for what is missing or broken.
 */
bool vm_resolve(struct arena *arena, struct diag *diag, const struct vm *vm, struct system *system);

#endif

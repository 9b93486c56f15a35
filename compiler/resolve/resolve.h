/* SPDX-License-Identifier: MIT */
/*
 * resolve: derives the fields that the description leaves open from the toplevel and this machine.
 */
#ifndef MVM_COMPILER_RESOLVE_RESOLVE_H
#define MVM_COMPILER_RESOLVE_RESOLVE_H

#include <stdbool.h>

#include "backends/interface/vm.h"
#include "imaging/kernel/kernel.h"

/* The system in a toplevel, from its files and from options that override them. */
struct system {
	const char *toplevel; /* in the store directory, symbolic links resolved */
	const char *init;     /* TOPLEVEL/init */
	bool nixos;           /* it is a NixOS system */
	struct kernel kernel;
	const char *kernel_modules; /* directory for modules_resolve; NULL: none */
	const char *initrd;         /* NULL: our own stage 1 */
	struct strings parameters;  /* kernel parameters, without ours */
};

/* Finds the system of a description. Missing or broken files are errors with STATUS_INPUT. */
bool vm_resolve(struct arena *arena, struct diag *diag, const struct vm *vm, struct system *system);

#endif

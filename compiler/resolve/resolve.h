/* SPDX-License-Identifier: MIT */
/*
 * resolve: derives the fields that the description leaves open from the toplevel and this machine.
 */
#ifndef MVM_COMPILER_RESOLVE_RESOLVE_H
#define MVM_COMPILER_RESOLVE_RESOLVE_H

#include <stdbool.h>

#include "backends/interface/vm.h"
#include "imaging/kernel/kernel.h"

/* The mode and owner of the guest's root directory. */
struct root_owner {
	unsigned mode, uid, gid;
};

/* The system in a toplevel or a root file system, and options that override its files. */
struct system {
	/*
	 * in the store directory, symbolic links resolved; for a root file system the store path
	 * under which it is packed, once the plan knows it
	 */
	const char *toplevel;
	const char *rootfs;     /* the directory, symbolic links resolved; NULL: a toplevel */
	struct root_owner root; /* of a root file system */
	const char *init;       /* TOPLEVEL/init, or a path in the root file system */
	bool nixos;             /* it is a NixOS system */
	/* of NixOS, with systemd as its init: the program that activates it before; NULL: none */
	const char *prepare_root;
	struct kernel kernel;
	const char *kernel_modules; /* directory for modules_resolve; NULL: none */
	const char *initrd;         /* NULL: our own stage 1 */
	struct strings parameters;  /* kernel parameters, without ours */
};

/* Finds the system of a description. Missing or broken files are errors with STATUS_INPUT. */
bool vm_resolve(struct arena *arena, struct diag *diag, const struct vm *vm, struct system *system);

#endif

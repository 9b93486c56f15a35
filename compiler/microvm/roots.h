/* SPDX-License-Identifier: MIT */
/*
 * roots: what Nix's garbage collector must leave to the VMs. As in the reference the links NAME,
 * booted-NAME and old-NAME lead to the links of the VM's directory, which counts when those lead
 * into the store. What a runner that is not in the store needs of it has links of its own:
 * .runners/NAME/FINGERPRINT/.
 */
#ifndef MVM_COMPILER_MICROVM_ROOTS_H
#define MVM_COMPILER_MICROVM_ROOTS_H

#include "compiler/microvm/host.h"

/*
 * The directory for microVMs among Nix's roots, whether it exists or not; NULL: there is no Nix,
 * or, with a warning when `needed`, it is not ours to write.
 */
const char *roots_directory(struct arena *arena, struct diag *diag, bool needed);
/* Where the roots of a description's runner go; NULL: there is no Nix. */
const char *roots_of_runner(const struct host *host, const char *name, const char *fingerprint);

/* Makes the three links of a VM. */
bool roots_make(const struct host *host, const char *name);
/* Removes all roots of a VM. */
void roots_forget(const struct host *host, const char *name);
/* Removes those of one runner; `place` is its name in RUNNERS. */
void roots_forget_runner(const struct host *host, const char *name, const char *place);
/* Roots that lead to a VM that is no more, in the state directory. */
struct strings roots_dangling(const struct host *host);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * roots: the VMs' roots for Nix's garbage collector. As in microvm.nix, the links NAME, booted-NAME
 * and old-NAME lead to the links of the VM's directory, and protect runners in Nix's store. The
 * store paths that other runners need have links in .runners/NAME/FINGERPRINT/.
 */
#ifndef MVM_COMPILER_MICROVM_ROOTS_H
#define MVM_COMPILER_MICROVM_ROOTS_H

#include "compiler/microvm/host.h"

/*
 * The directory of the VMs' roots, which need not exist; NULL if there is no Nix, or if this user
 * may not write to it, with a warning if `needed`.
 */
const char *roots_directory(struct arena *arena, struct diag *diag, bool needed);
/* The directory for the roots of a description's runner; NULL: there is no Nix. */
const char *roots_of_runner(const struct host *host, const char *name, const char *fingerprint);

/* Makes the three links of a VM. */
bool roots_make(const struct host *host, const char *name);
/* While the VM is created: an interruption leaves no empty directory of roots. */
void roots_leave_no_litter(const struct host *host, const char *name);
/* Removes all roots of a VM. */
void roots_forget(const struct host *host, const char *name);
/* Removes the roots of one runner; `place` is its name in RUNNERS. */
void roots_forget_runner(const struct host *host, const char *name, const char *place);
/* The roots for VMs of this state directory that do not exist any more. */
struct strings roots_dangling(const struct host *host);

#endif

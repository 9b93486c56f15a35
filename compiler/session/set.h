/* SPDX-License-Identifier: MIT */
/* set: lays single options over a description, as --set and --hypervisor of a command line do. */
#ifndef MVM_COMPILER_SESSION_SET_H
#define MVM_COMPILER_SESSION_SET_H

#include "base/diag.h"
#include "base/node.h"

/*
 * Lays "a.0.b=c" over the description: the value is YAML, and the name is a path of keys and
 * numbers of elements. Errors are STATUS_USAGE, except those of the value.
 */
bool set_option(struct arena *arena, struct diag *diag, const char *text, struct node **merged);
void set_hypervisor(
	struct arena *arena, struct diag *diag, const char *hypervisor, struct node **merged);

#endif

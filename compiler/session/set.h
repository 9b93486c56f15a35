/* SPDX-License-Identifier: MIT */
/* set: sets single options of a description, as --set and --hypervisor do. */
#ifndef MVM_COMPILER_SESSION_SET_H
#define MVM_COMPILER_SESSION_SET_H

#include "base/diag.h"
#include "base/node.h"

/*
 * Sets an option: in "a.0.b=c", the value is YAML, and the name is a path of keys and numbers of
 * elements. Errors are STATUS_USAGE, except those in the value.
 */
bool set_option(struct arena *arena, struct diag *diag, const char *text, struct node **merged);
void set_hypervisor(
	struct arena *arena, struct diag *diag, const char *hypervisor, struct node **merged);

#endif

/* SPDX-License-Identifier: MIT */
/* become: replaces this program, or runs one as the user of a VM's unit. */
#ifndef MVM_COMPILER_MICROVM_BECOME_H
#define MVM_COMPILER_MICROVM_BECOME_H

#include "compiler/microvm/machine.h"

/* Replaces this program by another one. `argv` ends with NULL. Returns only after an error. */
bool program_become(const struct host *host, const struct strings *argv);
/*
 * Adds words to a command line that make the rest of it run as the unit of the VM would: as its
 * user and group, with its supplementary groups. Adds none if this user is not root or is the
 * unit's user. If there is no unit for the VM's directory, the rest runs as root, with a warning.
 */
bool unit_user_add(const struct host *host, const struct machine *machine, struct strings *argv);

#endif

/* SPDX-License-Identifier: MIT */
/* options: the tables of everything that a description and a host file can contain. */
#ifndef MVM_COMPILER_DESCRIBE_OPTIONS_H
#define MVM_COMPILER_DESCRIBE_OPTIONS_H

#include "backends/interface/option.h"
#include "base/arena.h"

/*
 * Returns the table of a whole description, which ends with a row without name. The choices of
 * `hypervisor` come from backends/registry.c.
 */
const struct option *vm_options(struct arena *arena);
/* The table of a host file, which is bound to `struct fleet` (compiler/fleet/fleet.h). */
extern const struct option fleet_options[];

/* The longest path that fits into sockaddr_un. */
enum { SOCKET_PATH_BYTES = 107 };

#endif

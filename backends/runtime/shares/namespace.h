/* SPDX-License-Identifier: MIT */
/*
 * namespace: gives a daemon its own view of users and mounts. A namespace ends with the processes
 * in it.
 */
#ifndef MVM_BACKENDS_RUNTIME_SHARES_NAMESPACE_H
#define MVM_BACKENDS_RUNTIME_SHARES_NAMESPACE_H

#include <stdbool.h>

#include "backends/runtime/base/runtime.h"

/* Makes this process root of a user namespace with only one user, its own one outside. */
bool namespace_become_root(struct reason *why);
/*
 * Makes everything below the directory (an absolute path without links, not "/") read-only for this
 * process and its children. Needs root.
 */
bool namespace_make_read_only(const char *directory, struct reason *why);

#endif

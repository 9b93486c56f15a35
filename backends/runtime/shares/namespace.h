/* SPDX-License-Identifier: MIT */
/*
 * namespace: what a daemon is to see otherwise than its host. Both end with the processes that are
 * in them.
 */
#ifndef MVM_BACKENDS_RUNTIME_SHARES_NAMESPACE_H
#define MVM_BACKENDS_RUNTIME_SHARES_NAMESPACE_H

#include <stdbool.h>

#include "backends/runtime/base/runtime.h"

/* This process becomes root of a user namespace with one user: its own, outside. */
bool namespace_become_root(struct reason *why);
/*
 * For this process and its children, nothing below the directory (an absolute path without links,
 * not "/") can be written. Needs root.
 */
bool namespace_make_read_only(const char *directory, struct reason *why);

#endif

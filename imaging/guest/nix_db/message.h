/* SPDX-License-Identifier: MIT */
/* message: what mvm-nix-db tells, on standard error: in a guest that is the console. */
#ifndef MVM_IMAGING_GUEST_NIX_DB_MESSAGE_H
#define MVM_IMAGING_GUEST_NIX_DB_MESSAGE_H

#include <stdbool.h>

void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, for `return fail(...)`: always false. */
bool fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif

/* SPDX-License-Identifier: MIT */
/* message: messages of mvm-nix-db on standard error, which is the console in a guest. */
#ifndef MVM_IMAGING_GUEST_NIX_DB_MESSAGE_H
#define MVM_IMAGING_GUEST_NIX_DB_MESSAGE_H

#include <stdbool.h>

void report(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* As report, but always returns false, for `return fail(...)`. */
bool fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif

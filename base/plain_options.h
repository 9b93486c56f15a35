/* SPDX-License-Identifier: MIT */
/*
 * plain_options: takes options from a list of arguments that ends with NULL, for the carried
 * programs, which are called by our own programs and scripts. Needs nothing but libc.
 */
#ifndef MVM_BASE_PLAIN_OPTIONS_H
#define MVM_BASE_PLAIN_OPTIONS_H

#include <stdbool.h>

/* Takes "NAME VALUE" if it is next, and advances. */
bool option_take_value(char ***at, const char *name, const char **value);
/* Takes "NAME" if it is next, and advances. */
bool option_take_flag(char ***at, const char *name, bool *flag);

#endif

/* SPDX-License-Identifier: MIT */
/* nixgen: the option table as a NixOS module. */
#ifndef MVM_COMPILER_COMMAND_NIXGEN_H
#define MVM_COMPILER_COMMAND_NIXGEN_H

#include <stdio.h>

#include "base/arena.h"

/* Prints a module that declares all options of a description below options.microvm. */
void nixgen_options(struct arena *arena, FILE *out);

#endif

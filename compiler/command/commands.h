/* SPDX-License-Identifier: MIT */
/* commands: the table of mvmbuild's commands, and what each of them does. */
#ifndef MVM_COMPILER_COMMAND_COMMANDS_H
#define MVM_COMPILER_COMMAND_COMMANDS_H

#include "compiler/session/cli.h"

/* Ends with a row without a name. The first row runs when no command was named. */
extern const struct command_row commands[];

#endif

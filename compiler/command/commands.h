/* SPDX-License-Identifier: MIT */
/* commands: what each command of mvmbuild does. */
#ifndef MVM_COMPILER_COMMAND_COMMANDS_H
#define MVM_COMPILER_COMMAND_COMMANDS_H

#include "compiler/session/session.h"

/* Runs the command that the command line names; false after an error. */
bool command_run(struct session *session);

/* cache.c */
bool cache_stats(struct session *session);
bool cache_collect(struct session *session);
bool cache_check(struct session *session);

#endif

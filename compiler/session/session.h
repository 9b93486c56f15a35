/* SPDX-License-Identifier: MIT */
/* session: one run of the program: its command line and the passes that its commands share. */
#ifndef MVM_COMPILER_SESSION_SESSION_H
#define MVM_COMPILER_SESSION_SESSION_H

#include "backends/interface/vm.h"
#include "compiler/plan/plan.h"
#include "compiler/session/cli.h"

struct session {
	struct arena *arena;
	struct diag *diag;
	struct cli cli;
	/* a description that is no file of its own; the command line's files are laid over it */
	struct node *given;
	struct shared *shared;         /* with other sessions of this run; NULL: nothing */
	const struct vm *vm;           /* complete; NULL: no description could be read */
	const struct storage *storage; /* derived from `vm` */
	struct system system;
	struct plan plan;
	enum status status; /* of a command that came to its end */
};

/* Reads, merges and binds the descriptions, without checking the whole. */
bool session_read(struct session *session);
/*
 * Reads and merges the descriptions, with the command line's --set and --hypervisor on top, binds
 * and checks them.
 */
bool session_check(struct session *session);
/* The same, and plans. */
bool session_plan(struct session *session);

/* compiler/inspect/size.c, compiler/inspect/why.c, compiler/inspect/diff.c */
bool command_size(struct session *session);
bool command_why(struct session *session);
bool command_diff(struct session *session);

#endif

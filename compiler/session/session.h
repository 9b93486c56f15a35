/* SPDX-License-Identifier: MIT */
/* session: a description and the passes over it, in their order. */
#ifndef MVM_COMPILER_SESSION_SESSION_H
#define MVM_COMPILER_SESSION_SESSION_H

#include "backends/interface/vm.h"
#include "compiler/plan/plan.h"
#include "compiler/session/settings.h"

/* Where the description comes from. What stands below is laid over what stands above. */
struct input {
	struct node *given; /* NULL: only files */
	struct strings files;
	struct strings sets;    /* "a.0.b=c" */
	const char *hypervisor; /* NULL: as described */
	bool no_system;         /* the toplevel may be missing */
};

struct session {
	struct arena *arena;
	struct diag *diag;
	struct input input;
	struct build_settings settings;
	struct shared *shared;         /* with other sessions of this run; NULL: nothing */
	const struct vm *vm;           /* complete; NULL: no description could be read */
	const struct storage *storage; /* derived from `vm` */
	struct system system;
	struct plan plan;
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

#endif

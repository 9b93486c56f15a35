/* SPDX-License-Identifier: MIT */
/* session: a description and the passes over it, in their order. */
#ifndef MVM_COMPILER_SESSION_SESSION_H
#define MVM_COMPILER_SESSION_SESSION_H

#include "backends/interface/vm.h"
#include "compiler/plan/plan.h"
#include "compiler/session/settings.h"

/* The parts of a description. Each field is merged over those before it. */
struct input {
	struct node *given; /* not from a file; NULL: none */
	struct strings files;
	struct pos named;       /* the place that names the files; line 0: the command line */
	struct strings sets;    /* "a.0.b=c" */
	const char *hypervisor; /* NULL: as described */
	bool no_system;         /* the toplevel may be missing */
};

struct session {
	struct arena *arena;
	struct diag *diag;
	struct input input;
	struct build_settings settings;
	struct shared *shared;     /* between the sessions of this run; NULL: nothing is shared */
	const struct meter *meter; /* of the store paths that planning reads; NULL: none */
	const struct vm *vm;       /* complete; NULL: no description could be read */
	const struct storage *storage; /* derived from `vm` */
	struct system system;
	struct plan plan;
};

/* Reads, merges and binds the description. */
bool session_read(struct session *session);
/* As session_read, and checks the description as a whole. */
bool session_check(struct session *session);
/* As session_check, and looks at the files that the description names, and makes the plan. */
bool session_plan(struct session *session);

#endif

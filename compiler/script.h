/* SPDX-License-Identifier: MIT */
/* script: a runner's scripts, from the templates carried in the program. */
#ifndef MVM_SCRIPT_H
#define MVM_SCRIPT_H

#include "compiler/plan.h"

/* A text for a hole of a template: `@name@`. */
struct hole {
	const char *name;
	const char *text; /* shell, already quoted */
};

/* The whole text of bin/NAME; `name` is also the name of its template, runner/NAME.sh. */
const char *script_run(struct arena *arena, const struct plan *plan);
const char *script_shutdown(struct arena *arena, const struct plan *plan);
const char *script_balloon(struct arena *arena, const struct plan *plan);
const char *script_check(struct arena *arena, const struct plan *plan);
/* libexec/mvm-host for a Mac. */
const char *script_macos_host(struct arena *arena, const struct plan *plan);
/* A script of the description's binScripts. */
const char *script_custom(struct arena *arena, const struct plan *plan, const char *text);

#endif

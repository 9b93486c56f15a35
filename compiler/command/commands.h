/* SPDX-License-Identifier: MIT */
/* commands: runs the commands of mvmbuild. */
#ifndef MVM_COMPILER_COMMAND_COMMANDS_H
#define MVM_COMPILER_COMMAND_COMMANDS_H

#include "compiler/command/cli.h"
#include "compiler/session/session.h"

/* One run of the program. */
struct invocation {
	struct arena *arena;
	struct diag *diag;
	struct cli cli;
	struct session session; /* of the commands that read a description */
	enum status status;     /* of a command that did not fail */
	const char *output;     /* what was built, absolute; NULL: nothing */
	bool changed;           /* it was not up to date */
};

/* Runs the command that the command line names; false after an error. */
bool command_run(struct invocation *call);

/* cache.c */
/* The directory of the cache, which need not exist yet; NULL, with an error, if none can be found.
 */
const char *command_cache(struct invocation *call);
bool cache_stats(struct invocation *call);
bool cache_collect(struct invocation *call);
bool cache_check(struct invocation *call);

/* link.c */
bool command_link(struct invocation *call);
/* cache_pack.c */
bool cache_pack(struct invocation *call);

/* reports.c */
bool report_size(struct invocation *call);
bool report_why(struct invocation *call);
bool report_diff(struct invocation *call);

#endif

/* SPDX-License-Identifier: MIT */
/* daemons: the virtiofsds of one VM. They are ready together and end together. */
#ifndef MVM_BACKENDS_RUNTIME_SHARES_DAEMONS_H
#define MVM_BACKENDS_RUNTIME_SHARES_DAEMONS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "backends/runtime/shares/daemon.h"

struct fleet {
	struct daemon *daemons;
	size_t n;
	const char *group; /* of the sockets; NULL: none */
	bool group_needed;
	/*
	 * runs behind its caller, for as long as this process lives; 0: in the foreground, for one
	 * connection
	 */
	pid_t with;
};

/* Returns the exit status of the program, which, with `with`, is two programs from here on. */
int fleet_run(struct fleet *fleet);

#endif

/* SPDX-License-Identifier: MIT */
/* daemons: the virtiofsds of one VM. They become ready together and exit together. */
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
	 * serve in the background for the lifetime of this process; 0: in the foreground, for one
	 * connection
	 */
	pid_t with;
};

/* Returns the program's exit status. With `with` it forks, and returns in both processes. */
int fleet_run(struct fleet *fleet);

#endif

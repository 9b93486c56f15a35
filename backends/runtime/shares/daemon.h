/* SPDX-License-Identifier: MIT */
/* daemon: one virtiofsd, which serves one share to one VM and ends with the connection. */
#ifndef MVM_BACKENDS_RUNTIME_SHARES_DAEMON_H
#define MVM_BACKENDS_RUNTIME_SHARES_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "backends/runtime/base/runtime.h"
#include "backends/runtime/base/unix_socket.h"

enum { DAEMON_SOCKET_FD = 3, DAEMON_TEXT_BYTES = 8192 };

struct daemon {
	/* what is asked for */
	const char *share; /* its tag */
	const char *socket;
	const char *read_only; /* a directory that the daemon must not write to; NULL: none */
	bool root_of_namespace;
	/* it does not say when it waits for its client: it does when it lives for a while */
	bool silent;
	char **argv; /* NULL at its end */
	/* what there is */
	struct unix_claim claim;
	pid_t process; /* and its process group; 0: none */
	bool running, ready;
	int status; /* as wait() has it, when it ran and does no more */
	int output; /* a pipe, which never blocks; -1 at its end */
	char text[DAEMON_TEXT_BYTES];
	size_t n; /* bytes of it that were not printed */
};

/* Starts it with its socket, claimed before, as descriptor 3. It dies when this process does. */
bool daemon_start(struct daemon *daemon, struct reason *why);
/*
 * Takes what it says, and sees whether it got ready. `print`: at once, else it is kept, the end of
 * it at least.
 */
void daemon_hear(struct daemon *daemon, bool print);
/* Prints what was kept. */
void daemon_print(struct daemon *daemon);
/* To the daemon and all that it started. */
void daemon_signal(const struct daemon *daemon, int number);

#endif

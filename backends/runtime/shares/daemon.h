/* SPDX-License-Identifier: MIT */
/*
 * daemon: one virtiofsd, which serves one share to one VM and exits when the connection is closed.
 */
#ifndef MVM_BACKENDS_RUNTIME_SHARES_DAEMON_H
#define MVM_BACKENDS_RUNTIME_SHARES_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "backends/runtime/base/runtime.h"
#include "backends/runtime/base/unix_socket.h"

enum { DAEMON_SOCKET_FD = 3, DAEMON_TEXT_BYTES = 8192 };

struct daemon {
	/* set by the caller */
	const char *share; /* its tag */
	const char *socket;
	const char *read_only; /* a directory that the daemon must not write to; NULL: none */
	bool root_of_namespace;
	/* it does not report that it waits for its client, and is assumed to after a while */
	bool silent;
	char **argv; /* ends with NULL */
	/* state */
	struct unix_claim claim;
	pid_t process; /* and its process group; 0: none */
	bool running, ready;
	int status; /* as from wait(), once it has exited */
	int output; /* a non-blocking pipe; -1 after its end */
	char text[DAEMON_TEXT_BYTES];
	size_t n; /* bytes of it that were not printed */
};

/*
 * Starts it with its socket, which was claimed before, as descriptor 3. It dies when this process
 * does.
 */
bool daemon_start(struct daemon *daemon, struct reason *why);
/*
 * Reads its output, and detects when it is ready. With `print` the output is printed at once, else
 * it is kept, at least its end.
 */
void daemon_hear(struct daemon *daemon, bool print);
/* Prints the output that was kept. */
void daemon_print(struct daemon *daemon);
/* Sends a signal to the daemon and all its children. */
void daemon_signal(const struct daemon *daemon, int number);

#endif

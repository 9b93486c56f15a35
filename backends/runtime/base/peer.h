/* SPDX-License-Identifier: MIT */
/* peer: the process that listens on a unix socket. */
#ifndef MVM_BACKENDS_RUNTIME_BASE_PEER_H
#define MVM_BACKENDS_RUNTIME_BASE_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "backends/runtime/base/runtime.h"

enum peer_status {
	PEER_OK,
	PEER_TIMEOUT,
	PEER_GONE,   /* there is no such socket, or nobody listens on it */
	PEER_BROKEN, /* the reason says why */
};

struct peer {
	int fd;      /* the connection, which never blocks */
	int process; /* a pidfd, -1 when the kernel does not tell */
};

/* Connects; on failure both are -1. */
enum peer_status peer_open(
	struct peer *peer, const char *path, int64_t deadline, struct reason *why);
void peer_close(struct peer *peer);

/* Waits until the connection is readable (POLLIN) or writable (POLLOUT). */
enum peer_status peer_wait(
	const struct peer *peer, short events, int64_t deadline, struct reason *why);
/* Waits for the end of the process; false when the time is over or there is no pidfd. */
bool process_wait(int process, int64_t deadline);
/* Waits for the end of whoever listens on the socket; without a pidfd, until nobody does. */
bool listener_wait(const char *path, int process, int64_t deadline);

#endif

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
	PEER_GONE,   /* the socket does not exist, or no process listens on it */
	PEER_BROKEN, /* described by the reason */
};

struct peer {
	int fd;      /* the non-blocking connection */
	int process; /* a pidfd; -1 if the kernel does not provide one */
};

/* Connects; on failure both members are -1. */
enum peer_status peer_open(
	struct peer *peer, const char *path, int64_t deadline, struct reason *why);
void peer_close(struct peer *peer);

/* Waits until the connection is readable (POLLIN) or writable (POLLOUT). */
enum peer_status peer_wait(
	const struct peer *peer, short events, int64_t deadline, struct reason *why);
/* Waits for the process to exit; false at the deadline, or without a pidfd. */
bool process_wait(int process, int64_t deadline);
/*
 * Waits for the listening process to exit; without a pidfd, until no process listens on the socket.
 */
bool listener_wait(const char *path, int process, int64_t deadline);

#endif

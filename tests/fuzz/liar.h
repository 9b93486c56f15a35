/* SPDX-License-Identifier: MIT */
/*
 * A hypervisor that sends arbitrary bytes and closes the connection; `connect` is redirected to it.
 * The sources of mvm-host are included after this because the library does not contain them.
 */
#ifndef MVM_TESTS_LIAR_H
#define MVM_TESTS_LIAR_H

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LIAR_MOST_BYTES = 60000, LIAR_PATIENCE_MS = 2000 };

static struct {
	const uint8_t *bytes;
	size_t count;
} liar;

/* All bytes are sent before the client reads: they fit into the kernel's socket buffer. */
static int liar_connect(int fd, const struct sockaddr *address, socklen_t length)
{
	int ends[2];
	(void)address, (void)length;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0 ||
		send(ends[1], liar.bytes, liar.count, 0) != (ssize_t)liar.count ||
		dup2(ends[0], fd) < 0)
		abort();
	close(ends[0]);
	close(ends[1]);
	return 0;
}
#define connect liar_connect

#include "backends/runtime/base/runtime.c"
#include "backends/runtime/control/json.c"
#define broken peer_broken
#include "backends/runtime/base/peer.c"
#undef broken

#endif

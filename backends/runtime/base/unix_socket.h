/* SPDX-License-Identifier: MIT */
/* unix_socket: addresses of unix sockets, and whether a process listens on one. */
#ifndef MVM_BACKENDS_RUNTIME_BASE_UNIX_SOCKET_H
#define MVM_BACKENDS_RUNTIME_BASE_UNIX_SOCKET_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "backends/runtime/base/runtime.h"

/* False if the path is empty or too long. A path that begins with '@' is an abstract name. */
bool unix_address_make(const char *path, struct sockaddr_un *address, socklen_t *size);

enum unix_owner {
	UNIX_NOBODY, /* the socket does not exist, or its process has exited */
	UNIX_SOMEBODY,
	UNIX_UNKNOWN, /* cannot be determined, for the reason */
};

/* Looks without connecting: a server of a single connection would take us for its client. */
enum unix_owner unix_owner(const char *path, struct reason *why);

/* A listening socket of this process in the file system. */
struct unix_claim {
	const char *path; /* NULL: none */
	int fd;           /* close-on-exec */
	dev_t device;
	ino_t inode;
};

/*
 * Listens on `path`, replacing a socket that no process uses any more. Members of `group` may
 * connect too; NULL: only the same user. With `group_needed`, a group that does not exist, or that
 * we may not set, is an error.
 */
bool unix_claim(const char *path, const char *group, bool group_needed, struct unix_claim *claim,
	struct reason *why);
/* Removes the socket, unless another has replaced it. */
void unix_release(struct unix_claim *claim);

#endif

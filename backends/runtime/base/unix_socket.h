/* SPDX-License-Identifier: MIT */
/* unix_socket: a unix socket's address, and who has it. */
#ifndef MVM_BACKENDS_RUNTIME_BASE_UNIX_SOCKET_H
#define MVM_BACKENDS_RUNTIME_BASE_UNIX_SOCKET_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "backends/runtime/base/runtime.h"

/* False when the path is empty or too long. A path that begins with '@' is an abstract name. */
bool unix_address_make(const char *path, struct sockaddr_un *address, socklen_t *size);

enum unix_owner {
	UNIX_NOBODY, /* there is no such socket, or its process is gone */
	UNIX_SOMEBODY,
	UNIX_UNKNOWN, /* the reason says why it cannot be told */
};

/* Looks without connecting: a server of one connection would take the look for its client. */
enum unix_owner unix_owner(const char *path, struct reason *why);

/* A listening socket of this process in the file system. */
struct unix_claim {
	const char *path; /* NULL: none */
	int fd;           /* close-on-exec */
	dev_t device;
	ino_t inode;
};

/*
 * Listens on `path`, in the place of a socket that nobody has any more. Whoever is of `group` may
 * connect too; NULL: the own user alone. A group that is not there, or not ours to give, is an
 * error when `group_needed`.
 */
bool unix_claim(const char *path, const char *group, bool group_needed, struct unix_claim *claim,
	struct reason *why);
/* Removes the socket, unless another has taken its place. */
void unix_release(struct unix_claim *claim);

#endif

/* SPDX-License-Identifier: MIT */
#include "backends/runtime/base/peer.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

enum { CONNECT_RETRY_MS = 50 };

static enum peer_status broken(struct reason *why, const char *what, int error)
{
	reason_set(why, "%s: %s", what, strerror(error));
	return PEER_BROKEN;
}

/*
 * Returns -1 on an old kernel, or for a process of another PID namespace (whose number is 0 here).
 */
static int pidfd_of(int fd)
{
	struct ucred peer = {0};
	socklen_t size = sizeof peer;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.pid <= 0)
		return -1;
	return (int)syscall(SYS_pidfd_open, peer.pid, 0);
}

static enum peer_status address_make(
	const char *path, struct sockaddr_un *address, struct reason *why)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof address->sun_path) {
		reason_set(why,
			"a socket's path must have at most %zu bytes; give one relative to the "
			"VM's directory",
			sizeof address->sun_path - 1);
		return PEER_BROKEN;
	}
	strcpy(address->sun_path, path);
	struct stat status;
	/*
	 * connect() returns ECONNREFUSED for a regular file too, as for a socket without a
	 * listener.
	 */
	if (stat(path, &status) == 0 && !S_ISSOCK(status.st_mode))
		return broken(why, "connect", ENOTSOCK);
	return PEER_OK;
}

/* crosvm's socket preserves message boundaries. */
static bool socket_make(struct peer *peer, int type)
{
	if (peer->fd >= 0)
		close(peer->fd);
	peer->fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return peer->fd >= 0;
}

static enum peer_status path_connect(
	struct peer *peer, const char *path, int64_t deadline, struct reason *why)
{
	struct sockaddr_un address;
	enum peer_status status = address_make(path, &address, why);
	if (status != PEER_OK)
		return status;
	int type = SOCK_STREAM;
	if (!socket_make(peer, type))
		return broken(why, "socket", errno);
	while (connect(peer->fd, (struct sockaddr *)&address, sizeof address) < 0) {
		if (errno == ENOENT || errno == ECONNREFUSED)
			return PEER_GONE;
		if (errno == EPROTOTYPE && type == SOCK_STREAM &&
			socket_make(peer, type = SOCK_SEQPACKET))
			continue;
		/* EAGAIN: the backlog is full of other clients. */
		if (errno != EAGAIN && errno != EINTR)
			return broken(why, "connect", errno);
		if (!deadline_left(deadline))
			return PEER_TIMEOUT;
		sleep_ms(CONNECT_RETRY_MS);
	}
	peer->process = pidfd_of(peer->fd);
	return PEER_OK;
}

enum peer_status peer_open(
	struct peer *peer, const char *path, int64_t deadline, struct reason *why)
{
	*peer = (struct peer){-1, -1};
	enum peer_status status = path_connect(peer, path, deadline, why);
	if (status != PEER_OK)
		peer_close(peer);
	return status;
}

void peer_close(struct peer *peer)
{
	if (peer->fd >= 0)
		close(peer->fd);
	if (peer->process >= 0)
		close(peer->process);
	*peer = (struct peer){-1, -1};
}

enum peer_status peer_wait(
	const struct peer *peer, short events, int64_t deadline, struct reason *why)
{
	/*
	 * Ends at the deadline even if bytes are ready, because a flood of them would last for
	 * ever.
	 */
	for (int left; (left = deadline_left(deadline)) > 0;) {
		struct pollfd entry = {.fd = peer->fd, .events = events};
		int ready = poll(&entry, 1, left);
		if (ready > 0)
			return PEER_OK;
		if (ready < 0 && errno != EINTR)
			return broken(why, "poll", errno);
	}
	return PEER_TIMEOUT;
}

bool process_wait(int process, int64_t deadline)
{
	struct pollfd entry = {.fd = process, .events = POLLIN};
	int ended = 0;
	while (process >= 0 && (ended = poll(&entry, 1, deadline_left(deadline))) < 0 &&
		errno == EINTR)
		;
	return ended > 0;
}

bool listener_wait(const char *path, int process, int64_t deadline)
{
	if (process >= 0)
		return process_wait(process, deadline);
	for (; deadline_left(deadline); sleep_ms(CONNECT_RETRY_MS)) {
		struct peer peer;
		struct reason why;
		enum peer_status status = peer_open(&peer, path, deadline, &why);
		peer_close(&peer);
		if (status == PEER_GONE)
			return true;
	}
	return false;
}

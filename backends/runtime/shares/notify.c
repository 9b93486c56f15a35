/* SPDX-License-Identifier: MIT */
/*
 * A guest's systemd reports over the vsock that it is ready, with one connection per message
 * (sd_notify(3), vsock-stream). The hypervisor connects to a socket of the state directory, or the
 * kernel to the host's own vsock; the message is passed on to the host's systemd by $NOTIFY_SOCKET.
 */
#include "backends/runtime/shares/notify.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "backends/runtime/base/peer.h"
#include "backends/runtime/base/runtime.h"
#include "backends/runtime/base/unix_socket.h"

enum {
	MESSAGE_BYTES = 4096,
	/*
	 * silence after which a message counts as complete: Cloud Hypervisor passes on the guest's
	 * end of stream only since version 53
	 */
	QUIET_MS = 200,
	LIMIT_MS = 2000,
	BACKLOG = 64,
};

#define VSOCK_PREFIX "vsock:"

static int listener_at(int family, const void *address, socklen_t size)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && (bind(fd, address, size) < 0 || listen(fd, BACKLOG) < 0)) {
		int error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

/* "vsock:PORT", or the path of a socket. */
static int listener_open(const char *where)
{
	size_t prefix = strlen(VSOCK_PREFIX);
	uint64_t port;
	if (strncmp(where, VSOCK_PREFIX, prefix) == 0 &&
		number_parse(where + prefix, 1, UINT32_MAX - 1, &port))
		return listener_at(AF_VSOCK,
			&(struct sockaddr_vm){.svm_family = AF_VSOCK,
				.svm_port = (uint32_t)port,
				.svm_cid = VMADDR_CID_ANY},
			sizeof(struct sockaddr_vm));
	struct sockaddr_un address;
	socklen_t size;
	if (unix_address_make(where, &address, &size))
		return listener_at(AF_UNIX, &address, size);
	errno = ENAMETOOLONG;
	return -1;
}

static size_t message_read(int fd, char *message)
{
	const struct peer peer = {.fd = fd, .process = -1};
	int64_t limit = clock_ms() + LIMIT_MS;
	struct reason why;
	size_t used = 0;
	while (used < MESSAGE_BYTES && clock_ms() < limit &&
		peer_wait(&peer, POLLIN, clock_ms() + QUIET_MS, &why) == PEER_OK) {
		ssize_t got = read(fd, message + used, MESSAGE_BYTES - used);
		if (got <= 0)
			break;
		used += (size_t)got;
	}
	return used;
}

/*
 * Keeps the guest's reports about its own state. Anything that would affect the host (main process,
 * file descriptors, watchdog) is dropped, because the host's processes are not the guest's.
 */
static size_t message_clean(char *message, size_t length)
{
	static const char *const names[] = {"READY=", "STATUS=", "STOPPING=", "RELOADING=",
		"MONOTONIC_USEC=", "EXTEND_TIMEOUT_USEC=", "ERRNO=", "EXIT_STATUS=", "X_"};
	size_t kept = 0;
	for (size_t at = 0, next; at < length; at = next) {
		const char *end = memchr(message + at, '\n', length - at);
		next = end ? (size_t)(end - message) + 1 : length;
		bool known = false;
		for (size_t i = 0; i < sizeof names / sizeof *names; i++)
			known |= next - at >= strlen(names[i]) &&
				!memcmp(message + at, names[i], strlen(names[i]));
		if (!known)
			continue;
		memmove(message + kept, message + at, next - at);
		kept += next - at;
	}
	return kept;
}

/*
 * Without a receiver the message is dropped; it was read anyway, because the guest waits for that.
 */
void notify_send(const char *to, const char *message, size_t length)
{
	struct sockaddr_un address;
	socklen_t size;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && length && to && unix_address_make(to, &address, &size) &&
		sendto(fd, message, length, MSG_NOSIGNAL, (struct sockaddr *)&address, size) < 0)
		complain("%s: %s", to, strerror(errno));
	if (fd >= 0)
		close(fd);
}

void notify_extend(uint64_t seconds)
{
	char message[64];
	int length = snprintf(message, sizeof message, "EXTEND_TIMEOUT_USEC=%llu",
		(unsigned long long)seconds * 1000000);
	notify_send(getenv("NOTIFY_SOCKET"), message, (size_t)length);
}

bool shutdown_seconds(const char *text, uint64_t *seconds)
{
	/*
	 * The time after that limit to terminate the hypervisor and to see it exit: each of the
	 * verbs waits at most 10 s for an answer and for the exit.
	 */
	enum { SECONDS_MAX = 24 * 60 * 60, END_SECONDS = 40 };
	if (!number_parse(text, 1, SECONDS_MAX, seconds)) {
		complain("shutdown: SECONDS must be a number from 1 to %d, not '%s'", SECONDS_MAX,
			text);
		return false;
	}
	notify_extend(*seconds + END_SECONDS);
	return true;
}

/*
 * systemd also runs ExecStop= after the service has ended by itself, and sets SERVICE_RESULT for
 * that command only: systemd.exec(5).
 */
int shutdown_without_vm(const char *socket)
{
	return getenv("SERVICE_RESULT") ? STATUS_OK : no_vm("microvm-shutdown", socket);
}

int verb_extend(char **arguments)
{
	enum { SECONDS_MAX = 24 * 60 * 60 };
	uint64_t seconds;
	if (!number_parse(arguments[0], 1, SECONDS_MAX, &seconds)) {
		complain("extend: SECONDS must be a number from 1 to %d, not '%s'", SECONDS_MAX,
			arguments[0]);
		return STATUS_USAGE;
	}
	notify_extend(seconds);
	return STATUS_OK;
}

static void message_pass(int listener)
{
	static char message[MESSAGE_BYTES];
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		return;
	size_t length = message_read(fd, message);
	close(fd);
	notify_send(getenv("NOTIFY_SOCKET"), message, message_clean(message, length));
}

/* Serves until the process, which is the hypervisor, exits. */
static void serve(int listener, int process)
{
	struct pollfd events[] = {
		{.fd = process, .events = POLLIN}, {.fd = listener, .events = POLLIN}};
	while (poll(events, 2, -1) >= 0 || errno == EINTR) {
		if (events[0].revents)
			return;
		if (events[1].revents)
			message_pass(listener);
	}
}

int verb_notify(char **arguments)
{
	int process = (int)syscall(SYS_pidfd_open, getppid(), 0);
	int listener = process < 0 ? -1 : listener_open(arguments[0]);
	if (listener < 0) {
		complain("%s: %s", arguments[0], strerror(errno));
		return STATUS_FAILED;
	}
	pid_t child = fork();
	if (child == 0)
		serve(listener, process);
	else if (child < 0)
		complain("cannot continue in the background: %s", strerror(errno));
	return child < 0 ? STATUS_FAILED : STATUS_OK;
}

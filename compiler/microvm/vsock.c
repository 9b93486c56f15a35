/* SPDX-License-Identifier: MIT */
/*
 * vsock: ssh's proxy to a guest. A guest has a vsock address (AF_VSOCK), or its hypervisor has a
 * Unix socket for it (Cloud Hypervisor, Firecracker), which answers "CONNECT PORT" with "OK
 * NUMBER".
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "base/file.h"
#include "base/interrupts.h"
#include "base/number.h"
#include "compiler/microvm/host.h"

enum { SSH_PORT = 22, ANSWER_BYTES = 64, BLOCK_BYTES = 64 * 1024, ANSWER_MILLISECONDS = 30000 };

/* ---- connecting ---- */

static bool no_guest(const struct host *host, const char *what)
{
	return diag_error(host->diag, STATUS_FAILED, NULL, "vsock",
		"cannot connect to the guest through %s: %s", what, strerror(errno));
}

static bool connect_number(const struct host *host, const char *text, int *fd)
{
	uint64_t cid;
	if (!number_parse(text, 0, VMADDR_CID_ANY - 1, &cid))
		return diag_error(host->diag, STATUS_USAGE, NULL, "vsock",
			"\"%s\" is not a vsock address", text);
	const struct sockaddr_vm address = {
		.svm_family = AF_VSOCK, .svm_cid = (unsigned)cid, .svm_port = SSH_PORT};
	*fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return (*fd >= 0 && connect(*fd, (const struct sockaddr *)&address, sizeof address) == 0) ||
		no_guest(host, arena_printf(host->arena, "vsock %u", address.svm_cid));
}

/* Reads byte by byte: whatever follows the answer is data of the guest. */
static bool read_answer(int fd, char answer[ANSWER_BYTES])
{
	struct pollfd polled = {.fd = fd, .events = POLLIN};
	for (size_t n = 0; n < ANSWER_BYTES - 1;) {
		if (poll(&polled, 1, ANSWER_MILLISECONDS) == 0) {
			errno = ETIMEDOUT;
			return false;
		}
		ssize_t got = read(fd, answer + n, 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			errno = got == 0 ? ECONNREFUSED
					 : errno; /* no process listens in the guest */
			return false;
		}
		if (answer[n++] == '\n') {
			answer[n] = '\0';
			return true;
		}
	}
	errno = EPROTO;
	return false;
}

static bool ask_for_port(int fd)
{
	char answer[ANSWER_BYTES];
	const char *request = "CONNECT 22\n";
	if (send(fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request) ||
		!read_answer(fd, answer))
		return false;
	errno = EPROTO;
	return strncmp(answer, "OK ", 3) == 0;
}

static bool connect_socket(const struct host *host, const char *path, int *fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	/* Through the directory's descriptor: the path may be too long for an address. */
	FD_CLEANUP int directory =
		open(path_parent(host->arena, path), O_PATH | O_DIRECTORY | O_CLOEXEC);
	const char *name =
		arena_printf(host->arena, "/proc/self/fd/%d/%s", directory, path_base(path));
	errno = directory < 0 ? errno : ENAMETOOLONG;
	if (directory < 0 || strlen(name) >= sizeof address.sun_path)
		return no_guest(host, path);
	memcpy(address.sun_path, name, strlen(name));
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return (*fd >= 0 && connect(*fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
		       ask_for_port(*fd)) ||
		no_guest(host, path);
}

/* ---- passing on ---- */

static bool write_out(int fd, const char *bytes, size_t count)
{
	while (count) {
		ssize_t put = write(fd, bytes, count);
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return false;
		bytes += put;
		count -= (size_t)put;
	}
	return true;
}

/* Copies one block; false at the end, or when the other side is closed. */
static bool pass(int from, int to)
{
	char block[BLOCK_BYTES];
	ssize_t got = read(from, block, sizeof block);
	if (got < 0)
		return errno == EINTR || errno == EAGAIN;
	return got > 0 && write_out(to, block, (size_t)got);
}

/* Returns when the guest closes the connection. After ssh's end of input it may still answer. */
static void pass_both_ways(int guest)
{
	struct pollfd polled[] = {{guest, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
	for (;;) {
		if (poll(polled, countof(polled), -1) < 0 && errno != EINTR)
			return;
		if (polled[0].revents && !pass(guest, STDOUT_FILENO))
			return;
		if (polled[1].revents && !pass(STDIN_FILENO, guest)) {
			shutdown(guest, SHUT_WR);
			polled[1].fd = -1;
		}
	}
}

bool verb_connect(struct host *host, const struct request *request)
{
	FD_CLEANUP int fd = -1;
	const char *where = request->name;
	interrupts_default(); /* ssh sends signals to end its proxy */
	bool connected = where[0] == '/' ? connect_socket(host, where, &fd)
					 : connect_number(host, where, &fd);
	if (connected)
		pass_both_ways(fd);
	return connected;
}

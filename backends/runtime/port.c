/* SPDX-License-Identifier: MIT */
/* port: tries a port of the host as QEMU's libslirp does when it forwards it. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backends/runtime/base/runtime.h"

static int refused(void)
{
	printf("%s\n", strerror(errno));
	return STATUS_FAILED;
}

int verb_port(char **arguments)
{
	const bool tcp = strcmp(arguments[0], "tcp") == 0;
	const int on = 1;
	uint64_t port;
	struct sockaddr_in address = {.sin_family = AF_INET};
	if (!number_parse(arguments[2], 1, UINT16_MAX, &port) ||
		(*arguments[1] && inet_pton(AF_INET, arguments[1], &address.sin_addr) != 1)) {
		complain("'%s' '%s' is not an address and a port", arguments[1], arguments[2]);
		return STATUS_USAGE;
	}
	address.sin_port = htons((uint16_t)port);
	const int fd = socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return refused();
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	const bool bound = bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
		(!tcp || listen(fd, 1) == 0);
	const int status = bound ? STATUS_OK : refused();
	close(fd);
	return status;
}

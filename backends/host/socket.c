/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "host.h"

int verb_listening(char **arguments)
{
	const char *path = arguments[0];
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (!*path || strlen(path) >= sizeof address.sun_path) {
		complain("%s: no path of a socket", path);
		return STATUS_USAGE;
	}
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		complain("cannot make a socket: %s", strerror(errno));
		return STATUS_FAILED;
	}
	/* EAGAIN: others wait already. Who has ended leaves a socket that refuses. */
	bool listening = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 || errno == EAGAIN;
	close(fd);
	return listening ? STATUS_OK : STATUS_FAILED;
}

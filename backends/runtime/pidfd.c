/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "backends/runtime/base/runtime.h"

enum { DESCRIPTOR = 3, PID_MAX = 4194304 }; /* PID_MAX_LIMIT */

static bool move_to(int fd, int number)
{
	if (fd == number) /* dup2 would leave FD_CLOEXEC set */
		return fcntl(fd, F_SETFD, 0) == 0;
	return dup2(fd, number) == number;
}

int verb_pidfd(char **arguments)
{
	uint64_t process;
	if (!number_parse(arguments[0], 1, PID_MAX, &process)) {
		complain("'%s' is not a process number", arguments[0]);
		return STATUS_USAGE;
	}
	int fd = (int)syscall(SYS_pidfd_open, (pid_t)process, 0);
	if (fd < 0 || !move_to(fd, DESCRIPTOR)) {
		complain("process %s: %s", arguments[0], strerror(errno));
		return STATUS_FAILED;
	}
	execvp(arguments[1], arguments + 1);
	complain("%s: %s", arguments[1], strerror(errno));
	return STATUS_FAILED;
}

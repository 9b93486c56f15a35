/* SPDX-License-Identifier: MIT */
#include "base/plain_output.h"

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

enum output output_finish(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return OUTPUT_WRITTEN;
	/* The call that failed may be long past, so errno may be another call's; ask poll(2). */
	struct pollfd output = {.fd = STDOUT_FILENO, .events = POLLOUT};
	const bool unread = poll(&output, 1, 0) == 1 && (output.revents & (POLLERR | POLLHUP));
	return unread ? OUTPUT_UNREAD : OUTPUT_FAILED;
}

_Noreturn void output_end_unread(void)
{
	sigset_t broken;
	sigemptyset(&broken);
	sigaddset(&broken, SIGPIPE);
	signal(SIGPIPE, SIG_DFL);
	raise(SIGPIPE);
	sigprocmask(SIG_UNBLOCK, &broken, NULL); /* the caller's caller may have blocked it */
	_exit(128 + SIGPIPE);
}

/* SPDX-License-Identifier: MIT */
#include "imaging/guest/init/child.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "imaging/guest/init/message.h"

void child_finish(const struct parameters *parameters, pid_t child, const char *name)
{
	int status = 0;
	if (child < 0) {
		message("FAILED: cannot start %s: %s", name, strerror(errno));
		stop(parameters);
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		debug(parameters, "%s is done", name);
		return;
	}
	if (WIFSIGNALED(status))
		message("FAILED: %s was ended by signal %d", name, WTERMSIG(status));
	else
		message("FAILED: %s ended with status %d", name, WEXITSTATUS(status));
	stop(parameters);
}

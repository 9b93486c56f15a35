/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/runtime/base/runtime.h"

/*
 * The master stays open in the program itself, so the terminal lives as long as the program, and
 * has no input. Unlike with a wrapper, the process, its output and its signals are the program's
 * own.
 */
static bool terminal_as_input(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
		return false;
	const char *name = ptsname(master);
	int slave = name ? open(name, O_RDWR | O_NOCTTY) : -1;
	if (slave < 0 || dup2(slave, STDIN_FILENO) < 0)
		return false;
	if (slave != STDIN_FILENO)
		close(slave);
	return true;
}

/*
 * A process outside of the terminal's foreground group is stopped when it reads from the terminal
 * or changes it (SIGTTIN, SIGTTOU). A process of another session is not.
 */
static bool is_kept_from(int fd)
{
	pid_t group = isatty(fd) ? tcgetpgrp(fd) : -1;
	return group >= 0 && group != getpgrp();
}

int verb_foreground(char **arguments)
{
	(void)arguments;
	return is_kept_from(STDIN_FILENO) || is_kept_from(STDOUT_FILENO) ? STATUS_FAILED
									 : STATUS_OK;
}

int verb_tty(char **arguments)
{
	const char *program = arguments[1];
	if (!isatty(STDIN_FILENO) && !terminal_as_input()) {
		complain("cannot make a terminal (is there a devpts at /dev/pts?): %s",
			strerror(errno));
		return STATUS_FAILED;
	}
	arguments[1] = arguments[0];
	signal(SIGPIPE, SIG_DFL);
	execvp(program, arguments + 1);
	complain("%s: %s", program, strerror(errno));
	return STATUS_FAILED;
}

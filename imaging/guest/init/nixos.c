/* SPDX-License-Identifier: MIT */
#include "imaging/guest/init/nixos.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/plain_file.h"
#include "imaging/guest/init/child.h"
#include "imaging/guest/init/file.h"
#include "imaging/guest/init/message.h"

void nixos_mark(void)
{
	int mark = directories_make("/etc", 0755, NULL)
		? open("/etc/NIXOS", O_WRONLY | O_CREAT | O_CLOEXEC, 0644)
		: -1;
	if (mark >= 0)
		close(mark);
	else
		message("cannot make /etc/NIXOS: %s", strerror(errno));
}

/* The program in the directory of `init`, for the caller to free; NULL if there is no such file. */
static char *program_beside(const char *init)
{
	char *directory = text_join(init, "");
	char *slash = strrchr(directory, '/');
	if (slash)
		*slash = '\0';
	char *program = slash ? text_join(directory, "/prepare-root") : NULL;
	free(directory);
	if (program && access(program, X_OK) == 0)
		return program;
	free(program);
	return NULL;
}

/* The path without symbolic links, for the caller to free; realpath(3) is a whole page of code. */
static char *path_resolved(const char *path)
{
	char link[32], target[PATH_MAX];
	const int fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	const ssize_t length = readlink(link, target, sizeof target - 1);
	close(fd);
	if (length <= 0)
		return NULL;
	target[length] = '\0';
	return text_join(target, "");
}

/*
 * init= may lead to a system through a link, such as /nix/var/nix/profiles/system/init, and a
 * system's init may be a link to systemd.
 */
static char *find_program(const char *init)
{
	char *program = program_beside(init);
	char *target = program ? NULL : path_resolved(init);
	if (target)
		program = program_beside(target);
	free(target);
	return program;
}

void nixos_prepare_root(const struct parameters *parameters, const char *init)
{
	char *program = find_program(init);
	if (!program)
		return;
	debug(parameters, "running %s", program);
	pid_t child = fork();
	if (child == 0) {
		setenv("IN_NIXOS_SYSTEMD_STAGE1", "true", 1);
		execl(program, program, (char *)NULL);
		message("cannot start %s: %s", program, strerror(errno));
		_exit(CHILD_NOT_STARTED);
	}
	child_finish(parameters, child, program);
	free(program);
}

/* SPDX-License-Identifier: MIT */
#include "compiler/base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compiler/base/arena.h"
#include "compiler/base/buf.h"

enum { ERROR_LIMIT = 64 * 1024 };

struct pipe_ends {
	int read, write;
};

static bool pipe_open(struct pipe_ends *ends)
{
	int fds[2];
	if (pipe2(fds, O_CLOEXEC) != 0)
		return false;
	*ends = (struct pipe_ends){fds[0], fds[1]};
	return true;
}

static void pipe_close(struct pipe_ends *ends)
{
	fd_close(&ends->read);
	fd_close(&ends->write);
}

static _Noreturn void child(const char *const argv[], int input, int output, int error)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (dup2(input, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 || dup2(error, STDERR_FILENO) < 0)
		_exit(127);
	/* execvp promises not to change the strings. */
	union {
		const char *const *given;
		char *const *taken;
	} words = {.given = argv};
	execvp(argv[0], words.taken);
	static const char text[] = "cannot be started";
	if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
		_exit(127);
	_exit(127);
}

/* Reads once; closes the descriptor at its end. */
static void drain(int *fd, struct buf *into, size_t limit)
{
	char block[64 * 1024];
	ssize_t got = read(*fd, block, sizeof block);
	if (got > 0 && into->n < limit)
		buf_add(into, block, (size_t)got);
	else if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN))
		fd_close(fd);
}

static void listen_to(int *output, int *error, struct buf *out, struct buf *err)
{
	while (*output >= 0 || *error >= 0) {
		struct pollfd polled[] = {{*output, POLLIN, 0}, {*error, POLLIN, 0}};
		if (poll(polled, countof(polled), -1) < 0)
			continue;
		if (polled[0].revents)
			drain(output, out, SIZE_MAX);
		if (polled[1].revents)
			drain(error, err, ERROR_LIMIT);
	}
}

static int wait_status(pid_t pid)
{
	int status;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* The child's standard error: a pipe, or our own. */
static bool error_open(struct pipe_ends *ends, bool shown)
{
	if (!shown)
		return pipe_open(ends);
	ends->write = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	return ends->write >= 0;
}

static bool run(struct arena *arena, struct diag *diag, const char *const argv[], bool shown, struct process_result *out)
{
	struct pipe_ends output = {-1, -1}, error = {-1, -1};
	FD_CLEANUP int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pid_t pid = -1;
	if (null >= 0 && pipe_open(&output) && error_open(&error, shown))
		pid = fork();
	if (pid == 0)
		child(argv, null, output.write, error.write);
	if (pid < 0) {
		diag_error(diag, STATUS_FAILED, NULL, "process", "cannot start %s: %s", argv[0], strerror(errno));
		pipe_close(&output);
		pipe_close(&error);
		return false;
	}
	fd_close(&output.write);
	fd_close(&error.write);
	BUF_CLEANUP struct buf printed = {0};
	BUF_CLEANUP struct buf complaints = {0};
	listen_to(&output.read, &error.read, &printed, &complaints);
	out->exit_status = wait_status(pid);
	out->output = (struct bytes){arena_strndup(arena, buf_text(&printed), printed.n), printed.n};
	out->error = (struct bytes){arena_strndup(arena, buf_text(&complaints), complaints.n), complaints.n};
	if (out->exit_status < 0)
		return diag_error(diag, STATUS_FAILED, NULL, "process", "cannot wait for %s: %s", argv[0], strerror(errno));
	return true;
}

bool process_run(struct arena *arena, struct diag *diag, const char *const argv[], struct process_result *out)
{
	return run(arena, diag, argv, false, out);
}

bool process_run_shown(struct arena *arena, struct diag *diag, const char *const argv[], struct process_result *out)
{
	return run(arena, diag, argv, true, out);
}

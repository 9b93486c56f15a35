/* SPDX-License-Identifier: MIT */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/interrupts.h"

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

static _Noreturn void child(const char *const argv[], int input, int output, int error)
{
	interrupts_forget();
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (dup2(input, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
		dup2(error, STDERR_FILENO) < 0)
		_exit(127);
	/* POSIX: execvp does not change the strings, although its type allows it. */
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

/* Reads once; closes the descriptor at end of file. */
static void drain(int *fd, struct buf *into, size_t limit)
{
	char block[64 * 1024];
	ssize_t got = read(*fd, block, sizeof block);
	if (got > 0 && into->n < limit)
		buf_add(into, block, (size_t)got);
	else if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN))
		fd_close(fd);
}

static int wait_status(pid_t pid)
{
	int status;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	interrupts_child_gone(pid);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

struct process {
	const char *name;
	pid_t pid;
	int output, error; /* -1 once they are closed */
	struct buf printed, complaints;
};

static void process_free(struct process *process)
{
	fd_close(&process->output);
	fd_close(&process->error);
	buf_free(&process->printed);
	buf_free(&process->complaints);
	free(process);
}

/* Opens the child's standard error: a pipe, or a copy of ours. */
static bool error_open(struct pipe_ends *ends, bool shown)
{
	if (!shown)
		return pipe_open(ends);
	ends->write = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	return ends->write >= 0;
}

/* Forks a child that the cleaner would end (interrupts.h). */
static pid_t fork_known(void)
{
	interrupts_hold();
	const pid_t pid = fork();
	const int error = errno;
	if (pid > 0)
		interrupts_child(pid);
	if (pid != 0)
		interrupts_go_on();
	errno = error;
	return pid;
}

static struct process *start(struct diag *diag, const char *const argv[], bool shown, int *feed)
{
	struct pipe_ends to = {-1, -1}, output = {-1, -1}, error = {-1, -1};
	FD_CLEANUP int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct process *process = require_memory(calloc(1, sizeof *process));
	*process = (struct process){.name = argv[0], .pid = -1};
	if (null >= 0 && (!feed || pipe_open(&to)) && pipe_open(&output) &&
		error_open(&error, shown))
		process->pid = fork_known();
	if (process->pid == 0)
		child(argv, feed ? to.read : null, output.write, error.write);
	process->output = output.read;
	process->error = error.read;
	fd_close(&to.read);
	fd_close(&output.write);
	fd_close(&error.write);
	if (process->pid < 0) {
		diag_error(diag, STATUS_FAILED, NULL, "process", "cannot start %s: %s", argv[0],
			strerror(errno));
		fd_close(&to.write);
		process_free(process);
		return NULL;
	}
	if (feed)
		*feed = to.write;
	return process;
}

struct process *process_start(struct diag *diag, const char *const argv[], int *feed)
{
	return start(diag, argv, false, feed);
}

static size_t first_ended(struct process *const v[], size_t n)
{
	size_t i = 0;
	while (i < n && (v[i]->output >= 0 || v[i]->error >= 0))
		i++;
	return i;
}

static void read_ready(struct process *process, const struct pollfd polled[2])
{
	if (polled[0].revents)
		drain(&process->output, &process->printed, SIZE_MAX);
	if (polled[1].revents)
		drain(&process->error, &process->complaints, ERROR_LIMIT);
}

size_t process_poll(struct process *const v[], size_t n, int milliseconds)
{
	struct pollfd *polled = require_memory(calloc(n + 1, 2 * sizeof *polled));
	size_t ended;
	while ((ended = first_ended(v, n)) == n && n) {
		for (size_t i = 0; i < n; i++) {
			polled[2 * i] = (struct pollfd){v[i]->output, POLLIN, 0};
			polled[2 * i + 1] = (struct pollfd){v[i]->error, POLLIN, 0};
		}
		const int ready = poll(polled, 2 * n, milliseconds);
		for (size_t i = 0; ready > 0 && i < n; i++)
			read_ready(v[i], &polled[2 * i]);
		if (ready == 0)
			break;
	}
	free(polled);
	return ended;
}

uint64_t process_read_bytes(const struct process *process)
{
	static const char key[] = "rchar: "; /* the first line of the file (proc(5)) */
	char path[sizeof "/proc//io" + 20], text[64];
	snprintf(path, sizeof path, "/proc/%ld/io", (long)process->pid);
	return file_start(path, text, sizeof text) > 0 && strncmp(text, key, strlen(key)) == 0
		? strtoull(text + strlen(key), NULL, 10)
		: 0;
}

bool process_end(
	struct arena *arena, struct diag *diag, struct process *process, struct process_result *out)
{
	process_poll(&process, 1, -1);
	out->exit_status = wait_status(process->pid);
	const int error = errno;
	out->output = (struct bytes){
		arena_strndup(arena, buf_text(&process->printed), process->printed.n),
		process->printed.n};
	out->error = (struct bytes){
		arena_strndup(arena, buf_text(&process->complaints), process->complaints.n),
		process->complaints.n};
	const bool ok = out->exit_status >= 0 ||
		diag_error(diag, STATUS_FAILED, NULL, "process", "cannot wait for %s: %s",
			process->name, strerror(error));
	process_free(process);
	return ok;
}

void process_kill(struct process *process)
{
	if (!process)
		return;
	kill(process->pid, SIGKILL);
	wait_status(process->pid);
	process_free(process);
}

bool process_run(struct arena *arena, struct diag *diag, const char *const argv[],
	struct process_result *out)
{
	struct process *process = start(diag, argv, false, NULL);
	return process && process_end(arena, diag, process, out);
}

bool process_run_shown(struct arena *arena, struct diag *diag, const char *const argv[],
	struct process_result *out)
{
	struct process *process = start(diag, argv, true, NULL);
	return process && process_end(arena, diag, process, out);
}

const char *process_complaint(struct arena *arena, const struct process_result *result)
{
	char *text = arena_strndup(arena, result->error.p, result->error.n);
	char *end = text + strlen(text);
	while (end > text && end[-1] == '\n')
		*--end = '\0';
	for (char *p = text; (p = strchr(p, '\n'));)
		*p = ' ';
	return *text ? text : "it printed no reason";
}

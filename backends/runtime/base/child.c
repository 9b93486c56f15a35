/* SPDX-License-Identifier: MIT */
#include "backends/runtime/base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	POLL_MS = 5,
	STATUS_NOT_STARTED = 127, /* the status that shells use */
};

static void log_show(int log)
{
	char block[1024];
	ssize_t got;
	for (off_t at = 0; (got = pread(log, block, sizeof block, at)) > 0; at += got)
		if (write(STDERR_FILENO, block, (size_t)got) != got)
			return;
}

void path_extend(void)
{
	const char *path = getenv("PATH");
	char *longer = text("%s%s/usr/sbin:/sbin", path ? path : "", path && *path ? ":" : "");
	setenv("PATH", longer, 1);
	free(longer);
}

static void become(const char *const *argv, int output, int log)
{
	/* The child must not outlive us: another start would not know of it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (nothing >= 0)
		dup2(nothing, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	signal(SIGPIPE, SIG_DFL);
	/* execvp changes neither the array nor its strings. */
	union {
		const char *const *constant;
		char *const *argv;
	} arguments = {.constant = argv};
	execvp(argv[0], arguments.argv);
	complain("%s: %s", argv[0], strerror(errno));
	_exit(STATUS_NOT_STARTED);
}

/* Reads until the end of the output or the deadline. */
static void take(int fd, int64_t deadline, struct output *output)
{
	for (int left; (left = deadline_left(deadline)) > 0;) {
		struct pollfd entry = {.fd = fd, .events = POLLIN};
		char block[1024];
		int ready = poll(&entry, 1, left);
		if (ready == 0 || (ready < 0 && errno == EINTR))
			continue;
		ssize_t got = ready < 0 ? -1 : read(fd, block, sizeof block);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return;
		size_t room = sizeof output->text - 1 - output->n,
		       kept = (size_t)got < room ? (size_t)got : room;
		memcpy(output->text + output->n, block, kept);
		output->n += kept;
		output->text[output->n] = '\0';
	}
}

static bool end(pid_t child, int64_t deadline, int *status)
{
	while (waitpid(child, status, WNOHANG) == 0) {
		if (!deadline_left(deadline)) {
			kill(child, SIGKILL);
			waitpid(child, status, 0);
			return false;
		}
		sleep_ms(POLL_MS);
	}
	return true;
}

static bool run(const char *const *argv, int64_t deadline, const int *ends, int log,
	struct output *output, struct reason *why)
{
	int status = 0;
	pid_t child = fork();
	if (child == 0)
		become(argv, output ? ends[1] : log, log);
	int problem = errno;
	close(ends[1]);
	if (child < 0)
		return reason_set(why, "fork: %s", strerror(problem));
	if (output) {
		*output = (struct output){.n = 0};
		take(ends[0], deadline, output);
	}
	if (!end(child, deadline, &status))
		return reason_set(why, "%s %s did not end in time", argv[0], argv[1]);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	return reason_set(why, "%s %s failed with status %d", argv[0], argv[1],
		WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

/* `log` receives the child's standard error. */
static bool run_streamed(const char *const *argv, const int *ends, int log, child_reader *reader,
	void *context, struct reason *why)
{
	int status = 0;
	pid_t child = fork();
	if (child == 0)
		become(argv, ends[1], log);
	int problem = errno;
	close(ends[1]);
	if (child < 0)
		return reason_set(why, "fork: %s", strerror(problem));
	bool ok = reader(ends[0], context, why);
	if (!ok)
		kill(child, SIGKILL);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		return reason_set(
			why, "%s %s failed with status %d", argv[0], argv[1], WEXITSTATUS(status));
	if (ok && !WIFEXITED(status))
		return reason_set(
			why, "%s %s was killed by signal %d", argv[0], argv[1], WTERMSIG(status));
	return ok;
}

bool child_stream(const char *const *argv, child_reader *reader, void *context, struct reason *why)
{
	int ends[2], log = memfd_create("log", MFD_CLOEXEC);
	if (log < 0 || pipe2(ends, O_CLOEXEC) < 0) {
		reason_set(why, "cannot start %s: %s", argv[0], strerror(errno));
		if (log >= 0)
			close(log);
		return false;
	}
	bool ok = run_streamed(argv, ends, log, reader, context, why);
	close(ends[0]);
	if (!ok)
		log_show(log);
	close(log);
	return ok;
}

bool child_run(const char *const *argv, int64_t deadline, struct output *output, struct reason *why)
{
	/* The output is shown only on failure, because crosvm also logs each success. */
	int ends[2], log = memfd_create("log", MFD_CLOEXEC);
	if (log < 0)
		return reason_set(why, "memfd_create: %s", strerror(errno));
	if (pipe2(ends, O_CLOEXEC) < 0) {
		reason_set(why, "pipe: %s", strerror(errno));
		close(log);
		return false;
	}
	bool ok = run(argv, deadline, ends, log, output, why);
	close(ends[0]);
	if (!ok)
		log_show(log);
	close(log);
	return ok;
}

bool child_work(const char *const *argv, struct reason *why)
{
	return child_run(argv, INT64_MAX, NULL, why);
}

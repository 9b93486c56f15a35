/* SPDX-License-Identifier: MIT */
#include "backends/runtime/shares/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "backends/runtime/shares/namespace.h"

enum { STATUS_NOT_STARTED = 127 /* the status that a shell uses */ };

/* Both kinds of virtiofsd print this before they accept their client. */
static const char waiting[] = "Waiting for vhost-user socket connection";

static bool surroundings_make(const struct daemon *daemon, struct reason *why)
{
	return (!daemon->root_of_namespace || namespace_become_root(why)) &&
		(!daemon->read_only || namespace_make_read_only(daemon->read_only, why));
}

static bool descriptors_make(const struct daemon *daemon, int output)
{
	int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
		dup2(output, STDERR_FILENO) < 0)
		return false;
	if (daemon->claim.fd == DAEMON_SOCKET_FD)
		return fcntl(DAEMON_SOCKET_FD, F_SETFD, 0) == 0;
	return dup2(daemon->claim.fd, DAEMON_SOCKET_FD) == DAEMON_SOCKET_FD;
}

static _Noreturn void become(const struct daemon *daemon, int output, pid_t parent)
{
	struct reason why;
	sigset_t none;
	if (!descriptors_make(daemon, output)) {
		complain("%s", strerror(errno));
		_exit(STATUS_NOT_STARTED);
	}
	setpgid(0, 0);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (!surroundings_make(daemon, &why)) {
		complain("%s", why.text);
		_exit(STATUS_NOT_STARTED);
	}
	/*
	 * Comes last, because a change of credentials resets it (commit_creds). The daemons' own
	 * helpers inherit it.
	 */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(STATUS_NOT_STARTED);
	execv(daemon->argv[0], daemon->argv);
	complain("%s: %s", daemon->argv[0], strerror(errno));
	_exit(STATUS_NOT_STARTED);
}

bool daemon_start(struct daemon *daemon, struct reason *why)
{
	int ends[2];
	pid_t self = getpid();
	if (pipe2(ends, O_CLOEXEC) < 0)
		return reason_set(why, "pipe: %s", strerror(errno));
	daemon->process = fork();
	if (daemon->process == 0)
		become(daemon, ends[1], self);
	int error = errno;
	close(ends[1]);
	if (daemon->process < 0) {
		close(ends[0]);
		daemon->process = 0;
		return reason_set(why, "fork: %s", strerror(error));
	}
	/*
	 * Both parent and child call this, because either may be first: the child to execute, or
	 * the parent to signal it.
	 */
	setpgid(daemon->process, daemon->process);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	if (daemon->output >= 0) /* from an earlier daemon, whose helper is still running */
		close(daemon->output);
	daemon->output = ends[0];
	daemon->running = true;
	return true;
}

static void line_print(const struct daemon *daemon, const char *line, size_t length)
{
	fprintf(stderr, "%s: %.*s\n", daemon->share, (int)length, line);
}

/* Drops the first `count` bytes. */
static void text_drop(struct daemon *daemon, size_t count)
{
	memmove(daemon->text, daemon->text + count, daemon->n - count);
	daemon->n -= count;
}

void daemon_print(struct daemon *daemon)
{
	for (size_t length; daemon->n;
		text_drop(daemon, length < daemon->n ? length + 1 : length)) {
		const char *end = memchr(daemon->text, '\n', daemon->n);
		length = end ? (size_t)(end - daemon->text) : daemon->n;
		line_print(daemon, daemon->text, length);
	}
}

/* Handles complete lines from `at` on. */
static void lines_take(struct daemon *daemon, size_t at, bool print)
{
	const char *end;
	while ((end = memchr(daemon->text + at, '\n', daemon->n - at))) {
		size_t length = (size_t)(end - daemon->text) - at;
		daemon->ready |=
			memmem(daemon->text + at, length, waiting, sizeof waiting - 1) != NULL;
		if (print) {
			line_print(daemon, daemon->text + at, length);
			text_drop(daemon, at + length + 1);
		} else {
			at += length + 1;
		}
	}
}

/* Returns the start of the incomplete last line. */
static size_t line_begin(const struct daemon *daemon)
{
	const char *last = memrchr(daemon->text, '\n', daemon->n);
	return last ? (size_t)(last - daemon->text) + 1 : 0;
}

void daemon_hear(struct daemon *daemon, bool print)
{
	while (daemon->output >= 0) {
		if (daemon->n > sizeof daemon->text / 2)
			text_drop(daemon, daemon->n / 2);
		size_t at = line_begin(daemon);
		ssize_t got = read(
			daemon->output, daemon->text + daemon->n, sizeof daemon->text - daemon->n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return;
		if (got <= 0) {
			close(daemon->output);
			daemon->output = -1;
			return;
		}
		daemon->n += (size_t)got;
		lines_take(daemon, at, print);
	}
}

void daemon_signal(const struct daemon *daemon, int number)
{
	if (daemon->process > 0)
		kill(-daemon->process, number);
}

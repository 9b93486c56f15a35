/* SPDX-License-Identifier: MIT */
/*
 * host_fixture: runs mvm-host ($MVM_HOST, otherwise build/mvm-host) against sockets that a test
 * creates. Included after <cmocka.h>.
 */
#ifndef MVM_TESTS_HOST_FIXTURE_H
#define MVM_TESTS_HOST_FIXTURE_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CLIENT_LIMIT_S = 60, OUTPUT_BYTES = 4096, ARGUMENTS_MAX = 8 };

/* `monitor` is the path of the socket. */
static char directory[100], program[4096], monitor[108];

struct outcome {
	int status, ms;
	char out[OUTPUT_BYTES], err[OUTPUT_BYTES];
};

static inline int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline void file_take(FILE *file, char *out)
{
	rewind(file);
	out[fread(out, 1, OUTPUT_BYTES - 1, file)] = '\0';
	fclose(file);
}

static inline struct outcome host_run(const char *const *arguments)
{
	struct outcome outcome = {0};
	FILE *out = tmpfile(), *err = tmpfile();
	assert_non_null(out);
	assert_non_null(err);
	int64_t start = now_ms();
	pid_t child = fork();
	assert_true(child >= 0);
	if (!child) {
		char *argv[ARGUMENTS_MAX + 2] = {program};
		for (int i = 0; i < ARGUMENTS_MAX && arguments[i]; i++)
			argv[i + 1] = strdup(arguments[i]);
		dup2(fileno(out), 1);
		dup2(fileno(err), 2);
		close(0);
		alarm(CLIENT_LIMIT_S);
		execv(program, argv);
		_exit(127);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	outcome.ms = (int)(now_ms() - start);
	outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
	file_take(out, outcome.out);
	file_take(err, outcome.err);
	return outcome;
}
#define RUN(...) host_run((const char *const[]){__VA_ARGS__, NULL})

static inline void assert_says(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' does not say '%s'", text, part);
}

static inline void assert_status(const struct outcome *outcome, int status)
{
	if (outcome->status != status)
		fail_msg("status %d, not %d, after %d ms; out '%s', err '%s'", outcome->status,
			status, outcome->ms, outcome->out, outcome->err);
}

static inline void assert_lasted(const struct outcome *outcome, int least_ms, int most_ms)
{
	if (outcome->ms < least_ms || outcome->ms > most_ms)
		fail_msg("took %d ms, not %d to %d", outcome->ms, least_ms, most_ms);
}

static inline int socket_listen(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	unlink(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
		listen(fd, 1) < 0)
		return -1;
	return fd;
}

static inline int socket_connect(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static inline void say(int fd, const char *text)
{
	size_t length = strlen(text);
	if (write(fd, text, length) != (ssize_t)length)
		_exit(3);
}

static inline void stay(int fd)
{
	char byte;
	while (read(fd, &byte, 1) > 0)
		;
}

struct script;

/*
 * Starts a process that listens on `monitor` and exits with the value that `play` returns. Each
 * test file defines its own struct script.
 */
static inline pid_t server_start(
	const struct script *script, int (*play)(const struct script *script, int listener))
{
	int ready[2];
	assert_int_equal(pipe(ready), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (!child) {
		int listener = socket_listen(monitor);
		if (listener < 0 || write(ready[1], "", 1) != 1)
			_exit(4);
		alarm(CLIENT_LIMIT_S);
		_exit(play(script, listener));
	}
	close(ready[1]);
	char byte;
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return child;
}

static inline int setup(void **state)
{
	(void)state;
	const char *given = getenv("MVM_HOST"), *tmp = getenv("TMPDIR");
	char *path = realpath(given ? given : "build/mvm-host", NULL);
	if (!path) {
		print_message(
			"no %s: build it, or set MVM_HOST\n", given ? given : "build/mvm-host");
		return -1;
	}
	snprintf(program, sizeof program, "%s", path);
	free(path);
	snprintf(directory, sizeof directory, "%s/host.XXXXXX",
		tmp && strlen(tmp) < 80 ? tmp : "/tmp");
	if (!mkdtemp(directory))
		return -1;
	snprintf(monitor, sizeof monitor, "%s/qmp", directory);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	unlink(monitor);
	return rmdir(directory);
}

#endif

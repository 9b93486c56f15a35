/* SPDX-License-Identifier: MIT */
/* host_qmp: a scripted monitor that speaks QEMU's protocol, for the tests of mvm-host. */
#ifndef MVM_TESTS_UNIT_HOST_QMP_H
#define MVM_TESTS_UNIT_HOST_QMP_H

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/host_fixture.h"

#define GREETING \
	"{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, " \
	"\"package\": \"return\"}, \"capabilities\": [\"oob\"]}}\r\n"
#define DONE "{\"return\": {}}\r\n"
#define STATUS(NAME) \
	"{\"return\": {\"running\": false, \"singlestep\": false, \"status\": \"" NAME "\"}}\r\n"
#define RUNNING STATUS("running")
#define EVENT(NAME) \
	"{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"" NAME "\"}\r\n"
/*
 * The reply of QEMU 7.2 to query-block: a store disk without an error, a CD drive without a medium,
 * and a volume for which the host has no space left.
 */
#define NO_ROOM \
	"{\"return\": [{\"device\": \"store\", \"io-status\": \"ok\", \"inserted\": {\"file\": " \
	"\"store.img\"}}, {\"device\": \"cd\", \"removable\": true}, " \
	"{\"device\": \"vdb\", \"inserted\": {\"image\": {\"filename\": \"x\", \"list\": [1, " \
	"[]]}, \"file\": \"data.img\"}, \"io-status\": \"nospace\"}]}\r\n"
#define REFUSAL "{\"error\": {\"class\": \"GenericError\", \"desc\": \"not \\\"now\\\"\"}}\r\n"
#define SHUTDOWN(REASON) \
	"{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"SHUTDOWN\", " \
	"\"data\": {\"guest\": true, \"reason\": \"" REASON "\"}}\r\n"
/* Code that searches for words instead of parsing JSON mistakes these events for replies. */
#define DECOYS \
	"{\"event\": \"NOTE\", \"data\": {\"return\": {\"actual\": 1}, \"error\": {\"desc\": " \
	"\"x\"}}}\r\n" \
	"{\"event\": \"NOTE\", \"data\": {\"text\": \"\\\"return\\\": {}, \\\"actual\\\": " \
	"2}\\n{\\\"return\\\": 1}\"}}\r\n" \
	"{\"data\": [\"return\", \"error\", {\"event\": \"SHUTDOWN\", \"reason\": " \
	"\"guest-panic\"}], \"event\": \"return\"}\r\n"

#define OPEN_16 "[[[[[[[[[[[[[[[["
#define CLOSE_16 "]]]]]]]]]]]]]]]]"
#define DEEP \
	"{\"event\": \"NOTE\", \"data\": " OPEN_16 OPEN_16 OPEN_16 CLOSE_16 CLOSE_16 CLOSE_16 \
	"}\r\n"
#define TOO_DEEP \
	"{\"QMP\": " OPEN_16 OPEN_16 OPEN_16 OPEN_16 OPEN_16 CLOSE_16 CLOSE_16 CLOSE_16 CLOSE_16 \
		CLOSE_16 "}\r\n"

enum { EXCHANGES_MAX = 8 };

struct exchange {
	const char *expected; /* part of the command */
	const char *reply;    /* NULL: none */
};

struct script {
	const char *greeting; /* NULL: none */
	struct exchange exchanges[EXCHANGES_MAX];
	/* keep the connection open at the end, silently, until the client closes it */
	bool stays;
	void (*afterwards)(int fd);
};

/*
 * The scripted monitor is a process, because mvm-host checks that the hypervisor's process exists.
 */

static inline bool receive(int fd, const char *expected)
{
	char line[1024];
	size_t used = 0;
	while (used < sizeof line - 1 && read(fd, line + used, 1) == 1 && line[used] != '\n')
		used++;
	line[used] = '\0';
	if (strstr(line, expected))
		return true;
	if (used)
		fprintf(stderr, "monitor: expected '%s', got '%s'\n", expected, line);
	return false;
}

static inline int script_play(const struct script *script, int listener)
{
	int fd = accept(listener, NULL, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (script->greeting)
		say(fd, script->greeting);
	for (const struct exchange *exchange = script->exchanges; exchange->expected; exchange++) {
		if (!receive(fd, exchange->expected))
			return 2;
		if (exchange->reply)
			say(fd, exchange->reply);
	}
	if (script->afterwards)
		script->afterwards(fd);
	if (script->stays)
		stay(fd);
	return 0;
}

/* The monitor sent all its lines and received the expected commands. */
static inline void monitor_end(pid_t monitor_process)
{
	int status;
	assert_int_equal(waitpid(monitor_process, &status, 0), monitor_process);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	unlink(monitor);
}

#endif

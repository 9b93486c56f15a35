/* SPDX-License-Identifier: MIT */
/*
 * mvm-host virtiofsd with scripted daemons, for cases that need a faulty daemon, a race or an
 * unusual host. Real daemons are tested in tests/e2e.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "tests/unit/host_fixture.h"

/* The message that both implementations of virtiofsd print. */
#define WAITING "echo '[INFO] Waiting for vhost-user socket connection...' >&2; "
/* sleep does not hold the fixture's pipes open: its standard output is the supervisor's pipe. */
#define STAYS "exec sleep 300"
#define LIMIT_MS 20000

static char first[108], second[108];

static int each_setup(void **state)
{
	(void)state;
	snprintf(first, sizeof first, "%.90s/a.sock", directory);
	snprintf(second, sizeof second, "%.90s/b.sock", directory);
	return 0;
}

static int each_teardown(void **state)
{
	(void)state;
	unlink(first);
	unlink(second);
	return 0;
}

static bool exists(const char *path)
{
	struct stat status;
	return lstat(path, &status) == 0;
}

/* Whether the process exists whose id a daemon wrote into this file. A zombie does not count. */
static bool is_alive(const char *name)
{
	char path[200], text[32] = "";
	snprintf(path, sizeof path, "%s/%s", directory, name);
	FILE *file = fopen(path, "r");
	if (!file)
		return false;
	size_t got = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	text[got] = '\0';
	snprintf(path, sizeof path, "/proc/%d/stat", atoi(text));
	file = fopen(path, "r");
	if (!file)
		return false;
	char state = 'Z';
	bool read = fscanf(file, "%*d (%*[^)]) %c", &state) == 1;
	fclose(file);
	return read && state != 'Z';
}

static void file_remove(const char *name)
{
	char path[200];
	snprintf(path, sizeof path, "%s/%s", directory, name);
	unlink(path);
}

#define UNTIL(condition) \
	do { \
		for (int64_t end = now_ms() + LIMIT_MS; !(condition) && now_ms() < end;) \
			usleep(10000); \
		assert_true(condition); \
	} while (0)

/* A process that lives until it is killed, as the VM that the supervisor watches. */
static pid_t vm_begin(void)
{
	pid_t vm = fork();
	assert_true(vm >= 0);
	if (vm)
		return vm;
	for (;;)
		pause();
}

static void vm_finish(pid_t vm)
{
	kill(vm, SIGKILL);
	waitpid(vm, NULL, 0);
}

struct server {
	pid_t process;
	FILE *err;
};

/* Runs in the foreground, with standard error in a file. */
static struct server server_begin(const char *const *arguments, const char *notify)
{
	struct server server = {.err = tmpfile()};
	assert_non_null(server.err);
	server.process = fork();
	assert_true(server.process >= 0);
	if (server.process)
		return server;
	char *argv[24] = {program};
	for (int i = 0; i < 22 && arguments[i]; i++)
		argv[i + 1] = strdup(arguments[i]);
	if (notify)
		setenv("NOTIFY_SOCKET", notify, 1);
	dup2(fileno(server.err), 2);
	alarm(CLIENT_LIMIT_S);
	execv(program, argv);
	_exit(127);
}
#define SERVE(notify, ...) \
	server_begin((const char *const[]){"virtiofsd", __VA_ARGS__, NULL}, notify)

static int server_end(struct server *server, char *err)
{
	int status;
	assert_int_equal(waitpid(server->process, &status, 0), server->process);
	file_take(server->err, err);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void script(char *text, size_t size, const char *name, const char *rest)
{
	snprintf(text, size, "echo $$ >%s/%s; %s", directory, name, rest);
}

#define PROGRAM(text) "--run", "3", "/bin/sh", "-c", text

static void wrong_usage_is_refused(void **state)
{
	(void)state;
	static const char *const wrong[][8] = {
		{"virtiofsd"},
		{"virtiofsd", "--share", "a", "s", "--run", "2", "/bin/true"},
		{"virtiofsd", "--share", "a", "s", "--run", "x", "/bin/true"},
		{"virtiofsd", "--with", "0", "--share", "a", "s", "--run", "1"},
		{"virtiofsd", "--share", "a", "s", "--what", "--run", "1", "/bin/true"},
		{"virtiofsd", "--share", "a", "s", "--run", "1", "/bin/true", "more"},
	};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct outcome outcome = host_run(wrong[i]);
		assert_status(&outcome, 2);
	}
}

static void a_daemon_runs_in_the_background(void **state)
{
	(void)state;
	char text[600], number[16];
	struct stat status;
	pid_t vm = vm_begin();
	snprintf(number, sizeof number, "%d", vm);
	script(text, sizeof text, "pid",
		"test -S /proc/self/fd/3 -o -e /proc/self/fd/3 && " WAITING STAYS);
	struct server server = SERVE(NULL, "--with", number, "--share", "a", first, PROGRAM(text));
	char err[OUTPUT_BYTES];
	assert_int_equal(server_end(&server, err), 0);
	assert_string_equal(err, "");
	assert_true(is_alive("pid"));
	assert_int_equal(lstat(first, &status), 0);
	assert_true(S_ISSOCK(status.st_mode));
	assert_int_equal(status.st_mode & 0777, 0600);
	struct outcome outcome = RUN("listens", first);
	assert_status(&outcome, 0);
	vm_finish(vm);
	UNTIL(!exists(first));
	UNTIL(!is_alive("pid"));
	file_remove("pid");
}

/*
 * A VM that disconnects but keeps running, such as one that reboots in the same process, is served
 * again.
 */
static void a_returning_vm_is_served_again(void **state)
{
	(void)state;
	char text[600], number[16];
	pid_t vm = vm_begin();
	snprintf(number, sizeof number, "%d", vm);
	snprintf(text, sizeof text,
		WAITING "test -e %s/left || { : >%s/left; exit 0; }; echo $$ >%s/pid; " STAYS,
		directory, directory, directory);
	struct server server = SERVE(NULL, "--with", number, "--share", "a", first, PROGRAM(text));
	char err[OUTPUT_BYTES];
	assert_int_equal(server_end(&server, err), 0);
	UNTIL(is_alive("pid"));
	assert_true(exists(first));
	vm_finish(vm);
	UNTIL(!exists(first) && !is_alive("pid"));
	file_remove("pid");
	file_remove("left");
}

static void a_daemon_that_fails_to_start_is_reported(void **state)
{
	(void)state;
	char text[600], number[16];
	snprintf(number, sizeof number, "%d", getpid());
	script(text, sizeof text, "pid", WAITING STAYS);
	const char *const ends[] = {"echo 'what a pity' >&2; exit 7", "kill -SEGV $$", "exit 0"};
	const char *const said[] = {"exited with status 7 before it was ready",
		"was killed by signal 11 before", "exited with status 0 before it was ready"};
	for (size_t i = 0; i < 3; i++) {
		struct server server = SERVE(NULL, "--with", number, "--share", "a", first,
			PROGRAM(text), "--share", "b", second, PROGRAM(ends[i]));
		char err[OUTPUT_BYTES];
		assert_int_equal(server_end(&server, err), 1);
		assert_says(err, "the share b: virtiofsd ");
		assert_says(err, said[i]);
		if (i == 0)
			assert_says(err, "b: what a pity\n");
		UNTIL(!exists(first) && !exists(second) && !is_alive("pid"));
	}
	file_remove("pid");
	struct outcome outcome =
		RUN("virtiofsd", "--share", "a", first, "--run", "1", "/nowhere/virtiofsd");
	assert_status(&outcome, 1);
	assert_says(outcome.err, "/nowhere/virtiofsd: No such file");
}

static void only_stale_sockets_are_replaced(void **state)
{
	(void)state;
	struct stat status;
	/* A socket in use stays, and mvm-host does not connect to it. */
	int listener = socket_listen(first);
	struct outcome outcome = RUN("virtiofsd", "--share", "a", first, "--run", "1", "/bin/true");
	assert_status(&outcome, 1);
	assert_says(outcome.err, "another process serves it already");
	fcntl(listener, F_SETFL, O_NONBLOCK);
	assert_true(accept(listener, NULL, NULL) < 0);
	assert_true(exists(first));
	close(listener);
	/* A stale socket is replaced. */
	outcome = RUN("virtiofsd", "--share", "a", first, "--run", "1", "/bin/true");
	assert_status(&outcome, 1);
	assert_says(outcome.err, "before it was ready");
	assert_false(exists(first));
	/* A file that is not a socket stays. */
	close(open(first, O_CREAT | O_WRONLY, 0600));
	outcome = RUN("virtiofsd", "--share", "a", first, "--run", "1", "/bin/true");
	assert_status(&outcome, 1);
	assert_says(outcome.err, "it is not a socket");
	assert_int_equal(lstat(first, &status), 0);
	assert_true(S_ISREG(status.st_mode));
	unlink(first);
	/* The first share's socket is removed when the second one cannot be created. */
	struct server server = SERVE(NULL, "--share", "a", first, PROGRAM(STAYS), "--share", "b",
		"/nowhere/b.sock", PROGRAM(STAYS));
	char err[OUTPUT_BYTES];
	assert_int_equal(server_end(&server, err), 1);
	assert_says(err,
		"the share b: the socket /nowhere/b.sock: the directory /nowhere: No such file");
	assert_false(exists(first));
	server = SERVE(NULL, "--group", "no-such-group", "--share", "a", first, PROGRAM(STAYS));
	assert_int_equal(server_end(&server, err), 1);
	assert_says(err, "the group no-such-group does not exist");
	assert_false(exists(first));
}

static void receive(int fd, char *text)
{
	ssize_t got = recv(fd, text, OUTPUT_BYTES - 1, 0);
	text[got > 0 ? got : 0] = '\0';
}

/*
 * Speaks systemd's Type=notify protocol. The first daemon ignores SIGTERM, the second one does not
 * report that it is ready, and neither exits by itself.
 */
static void systemd_is_notified(void **state)
{
	(void)state;
	char text[OUTPUT_BYTES], one[600], two[600];
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof address.sun_path, "%.90s/notify", directory);
	int systemd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct timeval limit = {.tv_sec = LIMIT_MS / 1000};
	setsockopt(systemd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	assert_int_equal(bind(systemd, (struct sockaddr *)&address, sizeof address), 0);
	script(one, sizeof one, "one",
		WAITING "trap '' TERM; sleep 300 & wait; wait; wait; sleep 300");
	script(two, sizeof two, "two", STAYS);
	struct server server = SERVE(address.sun_path, "--share", "a", first, PROGRAM(one),
		"--share", "b", second, "--silent", PROGRAM(two));
	receive(systemd, text);
	assert_string_equal(text, "READY=1\nSTATUS=2 shares are served\n");
	assert_true(is_alive("one") && is_alive("two") && exists(first) && exists(second));
	kill(server.process, SIGTERM);
	receive(systemd, text);
	assert_string_equal(text, "STOPPING=1\n");
	assert_int_equal(server_end(&server, text), 0);
	assert_says(text, "a: [INFO] Waiting for");
	assert_false(is_alive("one") || is_alive("two") || exists(first) || exists(second));
	close(systemd);
	unlink(address.sun_path);
	file_remove("one");
	file_remove("two");
}

static void one_death_ends_all(void **state)
{
	(void)state;
	char one[600], two[600], err[OUTPUT_BYTES];
	script(one, sizeof one, "one", WAITING STAYS);
	script(two, sizeof two, "two",
		WAITING "sleep 300 & echo $! >/dev/null; sleep 0.3; kill -KILL $$");
	struct server server = SERVE(
		NULL, "--share", "a", first, PROGRAM(one), "--share", "b", second, PROGRAM(two));
	assert_int_equal(server_end(&server, err), 1);
	assert_says(err, "the share b: virtiofsd was killed by signal 9\n");
	assert_false(is_alive("one") || exists(first) || exists(second));
	file_remove("one");
	file_remove("two");
	/* When the VM has disconnected, all daemons end, and this is not a failure. */
	script(two, sizeof two, "two", WAITING "sleep 0.3; exit 0");
	server = SERVE(
		NULL, "--share", "a", first, PROGRAM(one), "--share", "b", second, PROGRAM(two));
	assert_int_equal(server_end(&server, err), 0);
	assert_false(is_alive("one") || exists(first) || exists(second));
	file_remove("one");
	file_remove("two");
}

/* A socket that another process has put in its place is not removed. */
static void foreign_sockets_are_not_removed(void **state)
{
	(void)state;
	char text[600], err[OUTPUT_BYTES];
	script(text, sizeof text, "pid", WAITING STAYS);
	struct server server = SERVE(NULL, "--share", "a", first, PROGRAM(text));
	UNTIL(is_alive("pid"));
	int other = socket_listen(first);
	kill(server.process, SIGINT);
	assert_int_equal(server_end(&server, err), 0);
	assert_true(exists(first));
	close(other);
	file_remove("pid");
}

static void daemons_end_with_their_supervisor(void **state)
{
	(void)state;
	char text[600], err[OUTPUT_BYTES];
	script(text, sizeof text, "pid", WAITING STAYS);
	struct server server = SERVE(NULL, "--share", "a", first, PROGRAM(text));
	UNTIL(is_alive("pid"));
	kill(server.process, SIGKILL);
	assert_int_equal(server_end(&server, err), 1000 + SIGKILL);
	UNTIL(!is_alive("pid"));
	struct outcome outcome = RUN("listens", first);
	assert_status(&outcome, 1);
	file_remove("pid");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(wrong_usage_is_refused, each_setup, each_teardown),
		cmocka_unit_test_setup_teardown(
			a_daemon_runs_in_the_background, each_setup, each_teardown),
		cmocka_unit_test_setup_teardown(
			a_returning_vm_is_served_again, each_setup, each_teardown),
		cmocka_unit_test_setup_teardown(
			a_daemon_that_fails_to_start_is_reported, each_setup, each_teardown),
		cmocka_unit_test_setup_teardown(
			only_stale_sockets_are_replaced, each_setup, each_teardown),
		cmocka_unit_test_setup_teardown(systemd_is_notified, each_setup, each_teardown),
		cmocka_unit_test_setup_teardown(one_death_ends_all, each_setup, each_teardown),
		cmocka_unit_test_setup_teardown(
			foreign_sockets_are_not_removed, each_setup, each_teardown),
		cmocka_unit_test_setup_teardown(
			daemons_end_with_their_supervisor, each_setup, each_teardown),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}

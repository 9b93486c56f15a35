/* SPDX-License-Identifier: MIT */
/*
 * mvm-host with hypervisors that have a client program (a shell script here), and its shell
 * replacement on macOS.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>

#include "host_fixture.h"

static char client[300], vm_socket[108];

static const char *in_directory(const char *name)
{
	static char path[300];
	snprintf(path, sizeof path, "%s/%s", directory, name);
	return path;
}

static void file_put(const char *name, const char *text)
{
	FILE *file = fopen(in_directory(name), "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void assert_calls(const char *expected)
{
	char calls[OUTPUT_BYTES] = "";
	FILE *file = fopen(in_directory("calls"), "r");
	if (file)
		file_take(file, calls);
	unlink(in_directory("calls"));
	assert_string_equal(calls, expected);
}

/*
 * Records its arguments in the file `calls` and, like crosvm, always prints a log line. The VM is
 * the process whose id is in the file `pid`.
 */
static const char client_text[] =
	"#!/bin/sh\n"
	"cd \"$(dirname \"$0\")\" || exit 9\n"
	"echo \"$*\" >>calls\n"
	"echo 'client: a log' >&2\n"
	"if [ -e broken ]; then exit 1; fi\n"
	"case \"$1\" in\n"
	"powerbtn) if [ ! -e deaf ]; then kill \"$(cat pid)\"; fi ;;\n"
	"stop) kill \"$(cat pid)\" ;;\n"
	"balloon) if [ \"$2\" != -n ]; then echo \"$2\" >actual; fi ;;\n"
	"balloon_stats) printf '{\"BalloonStats\": {\"stats\": {\"balloon_actual\": 7}, "
	"\"balloon_actual\": %s}}' \"$(cat actual)\" ;;\n"
	"esac\n";

static int client_setup(void **state)
{
	if (setup(state) < 0)
		return -1;
	file_put("client", client_text);
	snprintf(client, sizeof client, "%s", in_directory("client"));
	snprintf(vm_socket, sizeof vm_socket, "%s/vm.sock", directory);
	return chmod(client, 0755);
}

static int client_teardown(void **state)
{
	static const char *const files[] = {"client", "pid", "calls", "deaf", "broken", "actual",
		"vm.sock", ".lkvm/vm.sock", ".lkvm/vm.balloon"};
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		unlink(in_directory(files[i]));
	rmdir(in_directory(".lkvm"));
	return teardown(state);
}

static pid_t vm_start(const char *path, int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int ready[2];
	char byte = 0;
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	unlink(path);
	assert_int_equal(pipe(ready), 0);
	pid_t vm = fork();
	assert_true(vm >= 0);
	if (!vm) {
		int fd = socket(AF_UNIX, type, 0);
		if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
			listen(fd, 8) < 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	char number[24];
	snprintf(number, sizeof number, "%d\n", (int)vm);
	file_put("pid", number);
	return vm;
}

/* The VM has been asked to exit by now, unless the test failed. */
static void vm_end(pid_t vm)
{
	kill(vm, SIGKILL);
	waitpid(vm, NULL, 0);
}

static void the_power_button_is_pressed(void **state)
{
	(void)state;
	pid_t vm = vm_start(vm_socket, SOCK_SEQPACKET);
	struct outcome outcome = RUN("shutdown", "crosvm", vm_socket, client, "10");
	vm_end(vm);
	assert_status(&outcome, 0);
	assert_string_equal(outcome.err, "");
	char expected[200];
	snprintf(expected, sizeof expected, "powerbtn %s\n", vm_socket);
	assert_calls(expected);
}

static void a_deaf_guest_is_cut_off(void **state)
{
	(void)state;
	pid_t vm = vm_start(vm_socket, SOCK_SEQPACKET);
	file_put("deaf", "");
	struct outcome outcome = RUN("shutdown", "crosvm", vm_socket, client, "2");
	vm_end(vm);
	unlink(in_directory("deaf"));
	assert_status(&outcome, 3);
	assert_lasted(&outcome, 1900, 6000);
	assert_says(outcome.err, "cut off");
	assert_null(strstr(outcome.err, "a log"));
	char expected[600];
	snprintf(expected, sizeof expected, "powerbtn %s\npowerbtn %s\nstop %s\n", vm_socket,
		vm_socket, vm_socket);
	assert_calls(expected);
}

static void a_failing_client_is_reported(void **state)
{
	(void)state;
	pid_t vm = vm_start(vm_socket, SOCK_SEQPACKET);
	file_put("broken", "");
	struct outcome outcome = RUN("balloon", "crosvm", vm_socket, "512", client, "100");
	vm_end(vm);
	unlink(in_directory("broken"));
	unlink(in_directory("calls"));
	assert_status(&outcome, 1);
	assert_says(outcome.err, "client: a log");
	assert_says(outcome.err, "balloon failed with status 1");
}

static void a_missing_client_is_reported(void **state)
{
	(void)state;
	pid_t vm = vm_start(vm_socket, SOCK_SEQPACKET);
	struct outcome outcome = RUN("shutdown", "crosvm", vm_socket, "/nowhere/crosvm", "1");
	vm_end(vm);
	assert_status(&outcome, 3);
	assert_says(outcome.err, "/nowhere/crosvm");
}

static void a_stopped_vm_is_noticed(void **state)
{
	(void)state;
	vm_end(vm_start(vm_socket, SOCK_SEQPACKET));
	struct outcome outcome = RUN("shutdown", "crosvm", vm_socket, client, "5");
	assert_status(&outcome, 1);
	assert_says(outcome.err, "no VM is running here");
	outcome = RUN("balloon", "crosvm", vm_socket, "512", client, "10");
	assert_status(&outcome, 1);
	assert_says(outcome.err, "no VM is running here");
	assert_calls("");
	outcome = RUN("listens", vm_socket);
	assert_status(&outcome, 1);
}

static void the_listener_is_found(void **state)
{
	(void)state;
	pid_t vm = vm_start(vm_socket, SOCK_SEQPACKET);
	struct outcome outcome = RUN("listens", vm_socket);
	vm_end(vm);
	assert_status(&outcome, 0);
	assert_string_equal(outcome.err, "");
}

static void the_balloon_is_set(void **state)
{
	(void)state;
	pid_t vm = vm_start(vm_socket, SOCK_SEQPACKET);
	struct outcome outcome = RUN("balloon", "crosvm", vm_socket, "512", client, "100");
	struct outcome too_much = RUN("balloon", "crosvm", vm_socket, "512", client, "512");
	file_put("actual", "what");
	struct outcome strange = RUN("balloon", "crosvm", vm_socket, "512", "/bin/true", "100");
	vm_end(vm);
	assert_status(&outcome, 0);
	assert_string_equal(outcome.out, "100\n");
	assert_string_equal(outcome.err, "");
	assert_status(&too_much, 2);
	assert_status(&strange, 1);
	assert_says(strange.err, "reports no size");
	char expected[300];
	snprintf(expected, sizeof expected, "balloon 104857600 %s\nballoon_stats %s\n", vm_socket,
		vm_socket);
	assert_calls(expected);
}

static void assert_lkvm(const char *mib, const char *calls)
{
	char here[PATH_MAX], expected[24];
	assert_non_null(getcwd(here, sizeof here));
	assert_int_equal(chdir(directory), 0);
	struct outcome outcome = RUN("balloon", "lkvm", "vm", "512", client, mib);
	assert_int_equal(chdir(here), 0);
	assert_status(&outcome, 0);
	snprintf(expected, sizeof expected, "%s\n", mib);
	assert_string_equal(outcome.out, expected);
	assert_calls(calls);
}

static void the_balloon_is_remembered(void **state)
{
	(void)state;
	char path[300];
	mkdir(in_directory(".lkvm"), 0700);
	snprintf(path, sizeof path, "%s", in_directory(".lkvm/vm.sock"));
	pid_t vm = vm_start(path, SOCK_STREAM);
	assert_lkvm("100", "balloon -n vm -i 100\n");
	assert_lkvm("40", "balloon -n vm -d 60\n");
	assert_lkvm("40", "");
	vm_end(vm);
	/*
	 * The balloon's size belongs to one VM process; a new process starts with an empty balloon.
	 */
	vm = vm_start(path, SOCK_STREAM);
	assert_lkvm("10", "balloon -n vm -i 10\n");
	vm_end(vm);
}

/* ---- macOS ---- */

/* vfkit: answers every request; exits when a request contains this word. */
static pid_t vfkit_start(const char *last_word)
{
	int listener = socket_listen(vm_socket);
	assert_true(listener >= 0);
	pid_t vfkit = fork();
	assert_true(vfkit >= 0);
	for (; !vfkit;) {
		char request[2048];
		int fd = accept(listener, NULL, NULL);
		ssize_t got = fd < 0 ? -1 : read(fd, request, sizeof request - 1);
		if (got <= 0)
			_exit(1);
		request[got] = '\0';
		say(fd, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
		close(fd);
		if (strncmp(request, "POST /vm/state ", 15) == 0 && strstr(request, last_word))
			_exit(0);
	}
	close(listener);
	return vfkit;
}

static struct outcome macos(
	const char *verb, const char *what, const char *path, const char *seconds)
{
	snprintf(program, sizeof program, "/bin/bash");
	return RUN("templates/runner/mvm-host-macos.sh", verb, what, path, seconds);
}

static void the_macos_script_works(void **state)
{
	(void)state;
	if (system("curl --version >/dev/null 2>&1") != 0) {
		print_message("there is no curl\n");
		skip();
	}
	char here[sizeof program];
	memcpy(here, program, sizeof here);
	pid_t vfkit = vfkit_start("\"Stop\"");
	struct outcome running = macos("listens", vm_socket, NULL, NULL);
	struct outcome stopped = macos("shutdown", "vfkit", vm_socket, "10");
	struct outcome gone = macos("listens", vm_socket, NULL, NULL);
	vm_end(vfkit);
	vfkit = vfkit_start("\"HardStop\"");
	struct outcome cut_off = macos("shutdown", "vfkit", vm_socket, "1");
	vm_end(vfkit);
	struct outcome nobody = macos("shutdown", "vfkit", vm_socket, "1");
	struct outcome usage = macos("accel", NULL, NULL, NULL);
	memcpy(program, here, sizeof here);
	assert_status(&running, 0);
	assert_status(&stopped, 0);
	assert_string_equal(stopped.err, "");
	assert_status(&gone, 1);
	assert_status(&cut_off, 3);
	assert_says(cut_off.err, "cut off");
	assert_status(&nobody, 1);
	assert_says(nobody.err, "no VM is running here");
	assert_status(&usage, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_power_button_is_pressed),
		cmocka_unit_test(a_deaf_guest_is_cut_off),
		cmocka_unit_test(a_failing_client_is_reported),
		cmocka_unit_test(a_missing_client_is_reported),
		cmocka_unit_test(a_stopped_vm_is_noticed),
		cmocka_unit_test(the_listener_is_found),
		cmocka_unit_test(the_balloon_is_set),
		cmocka_unit_test(the_balloon_is_remembered),
		cmocka_unit_test(the_macos_script_works),
	};
	return cmocka_run_group_tests(tests, client_setup, client_teardown);
}

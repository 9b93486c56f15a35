/* SPDX-License-Identifier: MIT */
/* mvm-host ($MVM_HOST, otherwise build/mvm-host) against the monitor of a real QEMU. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/host_fixture.h"

static bool qemu_is_here(void)
{
	if (system("command -v qemu-system-x86_64 >/dev/null 2>&1") == 0)
		return true;
	print_message("skipped: no qemu-system-x86_64\n");
	return false;
}

static pid_t qemu_start(const char *machine, const char *const *more)
{
	char qmp[400];
	snprintf(qmp, sizeof qmp, "unix:%s,server=on,wait=off", monitor);
	const char *argv[32] = {"qemu-system-x86_64", "-M", machine, "-accel", "tcg", "-m", "64",
		"-display", "none", "-nodefaults", "-no-user-config", "-no-reboot", "-qmp", qmp};
	for (int i = 0; more[i]; i++)
		argv[14 + i] = more[i];
	pid_t child = fork();
	assert_true(child >= 0);
	if (!child) {
		alarm(2 * CLIENT_LIMIT_S);
		char *copies[32] = {0};
		for (int i = 0; argv[i]; i++)
			copies[i] = strdup(argv[i]);
		execvp(copies[0], copies);
		_exit(127);
	}
	for (int64_t deadline = now_ms() + 30000; access(monitor, F_OK) < 0;) {
		assert_int_equal(waitpid(child, NULL, WNOHANG), 0);
		assert_true(now_ms() < deadline);
		usleep(20000);
	}
	/* The socket exists after bind, shortly before QEMU listens on it. */
	usleep(200000);
	return child;
}
#define QEMU(MACHINE, ...) qemu_start(MACHINE, (const char *const[]){__VA_ARGS__, NULL})

static void assert_qemu_ended(pid_t qemu)
{
	int status;
	assert_int_equal(waitpid(qemu, &status, WNOHANG), qemu);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void qemu_kill(pid_t qemu)
{
	kill(qemu, SIGKILL);
	waitpid(qemu, NULL, 0);
	unlink(monitor);
}

static void qemu_is_cut_off(void **state)
{
	(void)state;
	if (!qemu_is_here())
		skip();
	static const char *const machines[] = {"microvm", "q35"};
	for (int i = 0; i < 2; i++) {
		pid_t qemu = QEMU(machines[i], "-S");
		struct outcome outcome = RUN("shutdown", "qmp", monitor, "1");
		assert_status(&outcome, 3);
		assert_lasted(&outcome, 1000, 9000);
		assert_qemu_ended(qemu);
		outcome = RUN("shutdown", "qmp", monitor, "1");
		assert_status(&outcome, 1);
	}
}

/* SeaBIOS with nothing to boot ignores the power button but resets on Ctrl-Alt-Del. */
static void qemu_obeys_keys(void **state)
{
	(void)state;
	if (!qemu_is_here())
		skip();
	pid_t qemu = QEMU("q35", "-vga", "none");
	struct outcome outcome = RUN("shutdown", "qmp", monitor, "15");
	assert_status(&outcome, 0);
	assert_string_equal(outcome.err, "");
	assert_lasted(&outcome, 4500, 14500);
	assert_qemu_ended(qemu);
}

static void a_held_monitor_is_reported(void **state)
{
	(void)state;
	if (!qemu_is_here())
		skip();
	pid_t qemu = QEMU("microvm", "-S");
	int holder = socket_connect(monitor);
	assert_true(holder >= 0);
	char byte;
	assert_int_equal(read(holder, &byte, 1), 1);
	struct outcome outcome = RUN("shutdown", "qmp", monitor, "1");
	assert_status(&outcome, 1);
	assert_says(outcome.err, "another client holds this monitor");
	assert_lasted(&outcome, 900, 5000);
	close(holder);
	outcome = RUN("shutdown", "qmp", monitor, "1");
	assert_status(&outcome, 3);
	assert_qemu_ended(qemu);
}

static void qemus_balloon_is_set(void **state)
{
	(void)state;
	if (!qemu_is_here())
		skip();
	pid_t qemu = QEMU("microvm", "-S");
	struct outcome none = RUN("balloon", "qmp", monitor, "64", "16");
	qemu_kill(qemu);
	assert_status(&none, 1);
	assert_says(none.err, "no balloon device");

	qemu = QEMU("q35", "-S", "-device", "virtio-balloon-pci");
	struct outcome idle = RUN("balloon", "qmp", monitor, "64", "16");
	struct outcome wrong = RUN("balloon", "qmp", monitor, "32", "0");
	qemu_kill(qemu);
	assert_status(&idle, 0);
	assert_string_equal(idle.out, "0\n");
	assert_status(&wrong, 1);
	assert_says(wrong.err, "has 64 MiB of memory, not 32");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(qemu_is_cut_off),
		cmocka_unit_test(qemu_obeys_keys),
		cmocka_unit_test(a_held_monitor_is_reported),
		cmocka_unit_test(qemus_balloon_is_set),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}

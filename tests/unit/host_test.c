/* SPDX-License-Identifier: MIT */
/* mvm-host ($MVM_HOST, otherwise build/mvm-host) against a scripted monitor. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/host_qmp.h"

static struct outcome shutdown_with(const struct script *script, const char *seconds)
{
	pid_t process = server_start(script, script_play);
	struct outcome outcome = RUN("shutdown", "qmp", monitor, seconds);
	monitor_end(process);
	return outcome;
}

/* ---- usage ---- */

static void wrong_usage_is_refused(void **state)
{
	(void)state;
	static const char *const wrong[][6] = {
		{NULL},
		{"frob"},
		{"shutdown"},
		{"shutdown", "http", "s", "1"},
		{"shutdown", "qmp", "s"},
		{"shutdown", "qmp", "s", "1", "2"},
		{"accel", "x"},
		{"shutdown", "qmp", "s", "0"},
		{"shutdown", "qmp", "s", "-1"},
		{"shutdown", "qmp", "s", "+1"},
		{"shutdown", "qmp", "s", "5s"},
		{"shutdown", "qmp", "s", " 5"},
		{"shutdown", "qmp", "s", ""},
		{"shutdown", "qmp", "s", "1e3"},
		{"shutdown", "qmp", "s", "0x10"},
		{"shutdown", "qmp", "s", "18446744073709551617"},
		{"balloon", "qmp", "s", "512", "512"},
		{"balloon", "qmp", "s", "512", "513"},
		{"balloon", "qmp", "s", "0", "0"},
		{"balloon", "qmp", "s", "512", "1.5"},
		{"balloon", "qmp", "s", "18446744073709551615", "1"},
	};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct outcome outcome = host_run(wrong[i]);
		assert_status(&outcome, 2);
		assert_string_equal(outcome.out, "");
		assert_string_not_equal(outcome.err, "");
	}
	struct outcome help = RUN("--help");
	assert_status(&help, 0);
	assert_says(help.out, "shutdown qmp SOCKET SECONDS");
}

/* ---- probes ---- */

static void the_accelerator_is_chosen(void **state)
{
	(void)state;
	unsetenv("MICROVM_ACCEL");
	struct outcome free_choice = RUN("accel");
	assert_status(&free_choice, 0);
	bool kvm = !strcmp(free_choice.out, "kvm\n");
	assert_string_equal(free_choice.out, kvm ? "kvm\n" : "tcg\n");
	if (kvm)
		assert_string_equal(free_choice.err, "");
	else
		assert_says(free_choice.err, "/dev/kvm");
	setenv("MICROVM_ACCEL", "kvm", 1);
	struct outcome forced = RUN("accel");
	assert_status(&forced, kvm ? 0 : 1);
	assert_string_equal(forced.out, kvm ? "kvm\n" : "");
	setenv("MICROVM_ACCEL", "tcg", 1);
	forced = RUN("accel");
	assert_status(&forced, 0);
	assert_string_equal(forced.out, "tcg\n");
	assert_string_equal(forced.err, "");
	setenv("MICROVM_ACCEL", "hvf", 1);
	forced = RUN("accel");
	assert_status(&forced, 2);
	assert_says(forced.err, "'hvf'");
	setenv("MICROVM_ACCEL", "", 1);
	forced = RUN("accel");
	assert_string_equal(forced.out, free_choice.out);
	unsetenv("MICROVM_ACCEL");
}

static void the_tsc_frequency_is_stable(void **state)
{
	(void)state;
	struct outcome first = RUN("tsc-khz");
#if defined __x86_64__
	assert_status(&first, 0);
	struct outcome second = RUN("tsc-khz");
	long a = strtol(first.out, NULL, 10), b = strtol(second.out, NULL, 10);
	assert_in_range(a, 100000, 20000000);
	assert_in_range(a + 200 - b, 0, 400);
	assert_int_equal(a % 100, 0);
#else
	assert_status(&first, 1);
	assert_string_equal(first.err, "");
#endif
}

/* ---- shutdown ---- */

static void the_power_button_is_pressed(void **state)
{
	(void)state;
	static const struct script script = {
		.greeting = GREETING,
		.exchanges = {{"\"qmp_capabilities\"", DONE}, {"query-status", RUNNING},
			{"\"system_powerdown\"",
				DONE "{\"event\": \"POWERDOWN\"}\r\n" SHUTDOWN("guest-shutdown")}},
	};
	struct outcome outcome = shutdown_with(&script, "30");
	assert_status(&outcome, 0);
	assert_string_equal(outcome.err, "");
	assert_lasted(&outcome, 0, 5000);
}

static void keys_follow_after_a_grace_period(void **state)
{
	(void)state;
	static const struct script script = {
		.greeting = GREETING,
		.exchanges = {{"qmp_capabilities", DONE}, {"query-status", RUNNING},
			{"system_powerdown", DONE},
			{"\"data\":\"delete\"", DONE SHUTDOWN("guest-reset")}},
	};
	struct outcome outcome = shutdown_with(&script, "3");
	assert_status(&outcome, 0);
	assert_string_equal(outcome.err, "");
	assert_lasted(&outcome, 900, 2900);
}

static void keys_follow_a_refusal_at_once(void **state)
{
	(void)state;
	static const struct script script = {
		.greeting = GREETING,
		.exchanges = {{"qmp_capabilities", DONE}, {"query-status", RUNNING},
			{"system_powerdown", REFUSAL},
			{"input-send-event", DONE SHUTDOWN("guest-reset")}},
	};
	struct outcome outcome = shutdown_with(&script, "30");
	assert_status(&outcome, 0);
	assert_lasted(&outcome, 0, 5000);
}

/* Late error replies to earlier commands must not be mistaken for the reply to quit. */
static void late_replies_are_not_mistaken(void **state)
{
	(void)state;
	static const struct script script = {
		.greeting = GREETING,
		.exchanges = {{"qmp_capabilities", DONE}, {"query-status", RUNNING},
			{"system_powerdown", NULL}, {"input-send-event", NULL},
			{"quit", REFUSAL REFUSAL DONE}},
	};
	struct outcome outcome = shutdown_with(&script, "1");
	assert_status(&outcome, 3);
}

static void a_deaf_guest_is_cut_off(void **state)
{
	(void)state;
	static const struct script script = {
		.greeting = GREETING,
		.exchanges = {{"qmp_capabilities", DONE}, {"query-status", RUNNING},
			{"system_powerdown", DONE}, {"input-send-event", REFUSAL},
			{"\"quit\"", DONE}},
	};
	struct outcome outcome = shutdown_with(&script, "2");
	assert_status(&outcome, 3);
	assert_says(outcome.err, "did not shut down within 2 s");
	assert_lasted(&outcome, 1900, 5000);
}

/* The disk was full and has room again: the guest is resumed, then asked to shut down. */
static void a_paused_vm_is_resumed(void **state)
{
	(void)state;
	static const struct script script = {
		.greeting = GREETING,
		.exchanges = {{"qmp_capabilities", DONE}, {"query-status", STATUS("io-error")},
			{"query-block", NO_ROOM}, {"\"cont\"", EVENT("RESUME") DONE},
			{"system_powerdown", DONE SHUTDOWN("guest-shutdown")}},
	};
	struct outcome outcome = shutdown_with(&script, "30");
	assert_status(&outcome, 0);
	assert_says(outcome.err, "paused: io-error, no room on the host for data.img; resuming it");
	assert_lasted(&outcome, 0, 5000);
}

/*
 * The VM stops again while the guest shuts down. Once it can be resumed, the guest is asked again,
 * because it may have missed the first request.
 */
static void a_vm_may_pause_again(void **state)
{
	(void)state;
	static const struct script script = {
		.greeting = GREETING,
		.exchanges = {{"qmp_capabilities", DONE}, {"query-status", RUNNING},
			{"system_powerdown", DONE EVENT("STOP")},
			{"query-status", STATUS("io-error")}, {"query-block", NO_ROOM},
			{"\"cont\"", DONE EVENT("RESUME")},
			{"system_powerdown", DONE SHUTDOWN("guest-shutdown")}},
	};
	struct outcome outcome = shutdown_with(&script, "30");
	assert_status(&outcome, 0);
	assert_says(outcome.err, "no room on the host for data.img");
	assert_lasted(&outcome, 1900, 5000);
}

/* A VM whose disk stays full is cut off, with a message that gives the reason. */
static void a_vm_that_stays_paused_is_cut_off(void **state)
{
	(void)state;
	static const struct script script = {
		.greeting = GREETING,
		.exchanges = {{"qmp_capabilities", DONE}, {"query-status", STATUS("io-error")},
			{"query-block", NO_ROOM}, {"\"cont\"", DONE EVENT("RESUME") EVENT("STOP")},
			{"system_powerdown", DONE}, {"input-send-event", DONE}, {"\"quit\"", DONE}},
	};
	struct outcome outcome = shutdown_with(&script, "1");
	assert_status(&outcome, 3);
	assert_says(outcome.err,
		"the VM is still paused: io-error, no room on the host for data.img, and the guest "
		"did not shut down within 1 s; it was cut off");
}

/* A panicked guest cannot be asked. */
static void a_panicked_guest_is_ended(void **state)
{
	(void)state;
	static const struct script script = {
		.greeting = GREETING,
		.exchanges = {{"qmp_capabilities", DONE},
			{"query-status", STATUS("guest-panicked")}, {"\"quit\"", DONE}},
	};
	struct outcome outcome = shutdown_with(&script, "60");
	assert_status(&outcome, 3);
	assert_says(outcome.err, "guest-panicked; it was cut off");
	assert_lasted(&outcome, 0, 5000);
}

static void a_vm_already_down_is_ended(void **state)
{
	(void)state;
	static const struct script script = {
		.greeting = GREETING,
		.exchanges = {{"qmp_capabilities", DONE}, {"query-status", STATUS("shutdown")},
			{"\"quit\"", DONE}},
	};
	struct outcome outcome = shutdown_with(&script, "60");
	assert_status(&outcome, 0);
	assert_string_equal(outcome.err, "");
}

/* A VM that was migrated to another host must not be resumed here. */
static void a_migrated_vm_is_not_resumed(void **state)
{
	(void)state;
	static const struct script script = {
		.greeting = GREETING,
		.exchanges = {{"qmp_capabilities", DONE}, {"query-status", STATUS("postmigrate")},
			{"system_powerdown", DONE}, {"input-send-event", DONE}, {"\"quit\"", DONE}},
	};
	struct outcome outcome = shutdown_with(&script, "1");
	assert_status(&outcome, 3);
}

static struct outcome state_with(const struct script *script)
{
	pid_t process = server_start(script, script_play);
	struct outcome outcome = RUN("state", "qmp", monitor);
	monitor_end(process);
	return outcome;
}

static void the_state_is_printed(void **state)
{
	(void)state;
	struct outcome none = RUN("state", "qmp", monitor);
	assert_status(&none, 0);
	assert_string_equal(none.out, "stopped\n");
	static const struct {
		struct exchange exchanges[3];
		const char *out;
	} cases[] = {
		{{{"query-status", RUNNING}}, "running\n"},
		{{{"query-status", STATUS("paused")}}, "paused\n"},
		{{{"query-status", STATUS("prelaunch")}}, "paused: prelaunch\n"},
		{{{"query-status", STATUS("io-error")}, {"query-block", NO_ROOM}},
			"paused: io-error, no room on the host for data.img\n"},
		{{{"query-status", STATUS("io-error")}, {"query-block", "{\"return\": []}\r\n"}},
			"paused: io-error\n"},
		{{{"query-status", STATUS("io-error")},
			 {"query-block",
				 "{\"return\": [1, {\"io-status\": \"failed\", \"inserted\": "
				 "{\"file\": \"a\\tb\"}}]}\r\n"}},
			"paused: io-error, a b failed\n"},
		{{{"query-status", STATUS("io-error")}, {"query-block", REFUSAL}},
			"paused: io-error\n"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct script script = {
			.greeting = GREETING, .exchanges = {{"qmp_capabilities", DONE}}};
		memcpy(script.exchanges + 1, cases[i].exchanges, sizeof cases[i].exchanges);
		struct outcome outcome = state_with(&script);
		assert_status(&outcome, 0);
		assert_string_equal(outcome.out, cases[i].out);
	}
	static const struct script hangs = {.greeting = GREETING,
		.exchanges = {{"qmp_capabilities", DONE}, {"query-status", NULL}},
		.stays = true};
	struct outcome outcome = state_with(&hangs);
	assert_status(&outcome, 1);
	assert_string_equal(outcome.out, "");
	assert_lasted(&outcome, 1000, 5000);
}

/*
 * shutdown asks systemd for a stop timeout of the given seconds plus the time that ending the
 * hypervisor may take.
 */
static void the_stop_timeout_is_extended(void **state)
{
	(void)state;
	char path[108], text[128];
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(path, sizeof path, "%s/notify", directory);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	setenv("NOTIFY_SOCKET", path, 1);
	setenv("SERVICE_RESULT", "success", 1);
	struct outcome outcome = RUN("shutdown", "qmp", monitor, "500");
	unsetenv("SERVICE_RESULT");
	struct outcome start = RUN("extend", "77");
	unsetenv("NOTIFY_SOCKET");
	assert_status(&outcome, 0);
	assert_status(&start, 0);
	ssize_t length = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);
	assert_true(length > 0);
	text[length] = '\0';
	assert_string_equal(text, "EXTEND_TIMEOUT_USEC=540000000");
	length = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);
	assert_true(length > 0);
	text[length] = '\0';
	assert_string_equal(text, "EXTEND_TIMEOUT_USEC=77000000");
	close(fd);
	unlink(path);
}

static void a_halted_vm_is_ended(void **state)
{
	(void)state;
	static const struct script script = {
		.greeting = GREETING,
		.exchanges = {{"qmp_capabilities", DONE}, {"query-status", RUNNING},
			{"system_powerdown", DONE SHUTDOWN("guest-shutdown")},
			{"input-send-event", DONE}, {"\"quit\"", DONE}},
	};
	struct outcome outcome = shutdown_with(&script, "1");
	assert_status(&outcome, 0);
}

static void a_vm_that_never_ends_is_reported(void **state)
{
	(void)state;
	static const struct script script = {
		.greeting = GREETING,
		.exchanges = {{"qmp_capabilities", DONE}, {"query-status", RUNNING},
			{"system_powerdown", DONE}, {"input-send-event", DONE}, {"\"quit\"", DONE}},
		.stays = true,
	};
	struct outcome outcome = shutdown_with(&script, "1");
	assert_status(&outcome, 1);
	assert_says(outcome.err, "kill it");
	assert_lasted(&outcome, 1000, 20000);
}

static void a_panic_is_reported(void **state)
{
	(void)state;
	static const struct script script = {
		.greeting = GREETING,
		.exchanges = {{"qmp_capabilities", DONE}, {"query-status", RUNNING},
			{"system_powerdown", DONE SHUTDOWN("guest-panic")}},
	};
	struct outcome outcome = shutdown_with(&script, "10");
	assert_status(&outcome, 0);
	assert_says(outcome.err, "guest-panic");
}

static void events_are_not_mistaken_for_replies(void **state)
{
	(void)state;
	static const struct script script = {
		.greeting = GREETING,
		.exchanges = {{"qmp_capabilities", DECOYS DEEP DONE}, {"query-status", RUNNING},
			{"system_powerdown", DECOYS REFUSAL DECOYS},
			{"input-send-event", DECOYS DONE DECOYS}},
	};
	struct outcome outcome = shutdown_with(&script, "30");
	assert_status(&outcome, 0);
	assert_string_equal(outcome.err, "");
	assert_lasted(&outcome, 0, 5000);
}

static void other_greetings_are_refused(void **state)
{
	(void)state;
	static const char *const greetings[] = {
		"QEMU 7.2.22 monitor - type 'help' for more information\r\n",
		"{\"QMP\": {}} {}\n",
		"{\"QMP\": {}\n",
		"{\"QMP\": {\"a\": \"\\x\"}}\n",
		"{\"QMP\": 01}\n",
		"{\"QMP\": {},}\n",
		"[\"QMP\"]\n",
		"{\"text\": \"QMP\"}\n",
		"\n",
		"{\"QMP\": tru}\n",
		"{\"QMP\": \"\x01\"}\n",
		TOO_DEEP,
		DONE,
	};
	for (size_t i = 0; i < sizeof greetings / sizeof *greetings; i++) {
		struct script script = {.greeting = greetings[i], .stays = true};
		struct outcome outcome = shutdown_with(&script, "30");
		if (outcome.status != 1)
			print_message("after %s", greetings[i]);
		assert_status(&outcome, 1);
		assert_says(outcome.err, "QMP");
		assert_lasted(&outcome, 0, 5000);
	}
}

static void silence_is_given_up(void **state)
{
	(void)state;
	static const struct script scripts[] = {
		{.stays = true},
		{.greeting = "{\"QMP\": {}}", .stays = true},
		{.greeting = GREETING, .stays = true},
	};
	for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
		struct outcome outcome = shutdown_with(&scripts[i], "1");
		assert_status(&outcome, 1);
		assert_says(outcome.err, "gave up after 1 s");
		assert_lasted(&outcome, 900, 4000);
	}
}

static void flood(int fd)
{
	enum { COPIES = 200 };
	static char block[COPIES * (sizeof DECOYS - 1)];
	for (size_t i = 0; i < COPIES; i++)
		memcpy(block + i * (sizeof DECOYS - 1), DECOYS, sizeof DECOYS - 1);
	for (int64_t end = now_ms() + 3000; now_ms() < end && write(fd, block, sizeof block) > 0;)
		;
}

/*
 * A continuous flood of events does not delay the deadline: the guest is cut off during the flood.
 */
static void a_flood_of_events_delays_nothing(void **state)
{
	(void)state;
	static const struct script script = {.greeting = GREETING,
		.exchanges = {{"qmp_capabilities", DONE}, {"query-status", RUNNING},
			{"system_powerdown", DONE}},
		.afterwards = flood};
	struct outcome outcome = shutdown_with(&script, "1");
	assert_status(&outcome, 3);
}

static void long_line(int fd)
{
	static char block[65536];
	memset(block, ' ', sizeof block);
	for (int i = 0; i < 17; i++)
		if (write(fd, block, sizeof block) < 0)
			return;
}

static void long_lines_are_refused(void **state)
{
	(void)state;
	static const struct script script = {.greeting = GREETING,
		.exchanges = {{"qmp_capabilities", DONE}, {"query-status", RUNNING},
			{"system_powerdown", DONE}},
		.afterwards = long_line,
		.stays = true};
	struct outcome outcome = shutdown_with(&script, "30");
	assert_status(&outcome, 1);
	assert_says(outcome.err, "a line of more than 1048576 bytes");
}

/* The connection may end at any point, even in the middle of a line. */
static void the_connection_may_end_anywhere(void **state)
{
	(void)state;
	static const struct script scripts[] = {
		{.greeting = NULL},
		{.greeting = "{\"QMP\": "},
		{.greeting = GREETING},
		{.greeting = GREETING, .exchanges = {{"qmp_capabilities", "{\"ret"}}},
	};
	for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
		struct outcome outcome = shutdown_with(&scripts[i], "30");
		assert_status(&outcome, 0);
		assert_string_equal(outcome.err, "");
	}
}

static void a_missing_monitor_is_noticed(void **state)
{
	(void)state;
	unlink(monitor);
	struct outcome outcome = RUN("shutdown", "qmp", monitor, "5");
	assert_status(&outcome, 1);
	assert_says(outcome.err, "no VM is running here: nothing listens on ");
	outcome = RUN("balloon", "qmp", monitor, "512", "1");
	assert_status(&outcome, 1);
	assert_says(outcome.err, "no VM is running here");
	outcome = RUN("shutdown", "qmp", "vm.sock", "5");
	assert_says(outcome.err,
		"/vm.sock; for a VM in another state directory, run: "
		"microvm-shutdown DIRECTORY");

	close(socket_listen(monitor));
	outcome = RUN("shutdown", "qmp", monitor, "5");
	assert_status(&outcome, 1);
	/* As systemd runs ExecStop= after the VM has ended. */
	setenv("SERVICE_RESULT", "success", 1);
	outcome = RUN("shutdown", "qmp", monitor, "5");
	unsetenv("SERVICE_RESULT");
	assert_status(&outcome, 0);
	assert_string_equal(outcome.err, "");
	assert_int_equal(access(monitor, F_OK), 0);
	unlink(monitor);

	close(open(monitor, O_CREAT | O_WRONLY, 0600));
	outcome = RUN("shutdown", "qmp", monitor, "5");
	assert_status(&outcome, 1);
	assert_says(outcome.err, monitor);
	unlink(monitor);

	char long_path[201];
	memset(long_path, 'a', 200);
	long_path[200] = '\0';
	outcome = RUN("shutdown", "qmp", long_path, "5");
	assert_status(&outcome, 1);
	assert_says(outcome.err, "107 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_usage_is_refused),
		cmocka_unit_test(the_accelerator_is_chosen),
		cmocka_unit_test(the_tsc_frequency_is_stable),
		cmocka_unit_test(the_power_button_is_pressed),
		cmocka_unit_test(keys_follow_after_a_grace_period),
		cmocka_unit_test(keys_follow_a_refusal_at_once),
		cmocka_unit_test(late_replies_are_not_mistaken),
		cmocka_unit_test(a_deaf_guest_is_cut_off),
		cmocka_unit_test(a_paused_vm_is_resumed),
		cmocka_unit_test(a_vm_may_pause_again),
		cmocka_unit_test(a_vm_that_stays_paused_is_cut_off),
		cmocka_unit_test(a_panicked_guest_is_ended),
		cmocka_unit_test(a_vm_already_down_is_ended),
		cmocka_unit_test(a_migrated_vm_is_not_resumed),
		cmocka_unit_test(the_state_is_printed),
		cmocka_unit_test(the_stop_timeout_is_extended),
		cmocka_unit_test(a_halted_vm_is_ended),
		cmocka_unit_test(a_vm_that_never_ends_is_reported),
		cmocka_unit_test(a_panic_is_reported),
		cmocka_unit_test(events_are_not_mistaken_for_replies),
		cmocka_unit_test(other_greetings_are_refused),
		cmocka_unit_test(silence_is_given_up),
		cmocka_unit_test(a_flood_of_events_delays_nothing),
		cmocka_unit_test(long_lines_are_refused),
		cmocka_unit_test(the_connection_may_end_anywhere),
		cmocka_unit_test(a_missing_monitor_is_noticed),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}

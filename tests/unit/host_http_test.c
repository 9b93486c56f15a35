/* SPDX-License-Identifier: MIT */
/* mvm-host against a scripted HTTP API like those of Cloud Hypervisor and Firecracker. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>

#include "tests/unit/host_fixture.h"

#define REPLY(CODE, HEADERS) \
	"HTTP/1.1 " CODE " \r\nServer: Test\r\nConnection: keep-alive\r\n" HEADERS "\r\n"
#define DONE REPLY("204", "")
#define REFUSED \
	"HTTP/1.1 400 \r\nContent-Type: application/json\r\nContent-Length: " \
	"26\r\n\r\n{\"fault_message\":\"not so\"}"
#define REFUSED_LIST "HTTP/1.1 500 \r\nContent-Length: 23\r\n\r\n[\"VM is not running\"]\r\n"
#define STATISTICS(MIB) \
	"HTTP/1.1 200 \r\ncontent-length:  31 \r\n\r\n{\"target_mib\":9,\"actual_mib\":" MIB "}"
/* 64 MiB plus 32 MiB of hotplugged memory; the balloon holds part of it. */
#define INFO(BYTES) \
	"HTTP/1.1 200 \r\nContent-Length: " \
	"97\r\n\r\n{\"config\":{\"memory\":{\"size\":67108864,\"hotplugged_size\":33554432}}," \
	"\"memory_actual_size\":" BYTES "}"

/* Replies to the requests that mvm-host sends before it asks the guest. */
#define STATE(LENGTH, NAME) \
	"HTTP/1.1 200 \r\nContent-Length: " LENGTH "\r\n\r\n{\"state\":\"" NAME "\"}"
#define CH_RUNS \
	{ \
		"GET /api/v1/vm.info HTTP/1.1\r\n", STATE("19", "Running") \
	}
#define FC_RUNS \
	{ \
		"GET / HTTP/1.1\r\n", STATE("19", "Running") \
	}

enum { EXCHANGES_MAX = 8 };

struct exchange {
	const char *expected; /* part of the request; NULL ends the list */
	const char *reply;
};

/* Each request arrives on its own connection. */
struct script {
	struct exchange exchanges[EXCHANGES_MAX];
	int ends_after_ms;    /* delay from the last exchange to the exit of the process; -1: only a
				 signal ends it */
	bool keeps_listening; /* until it exits, without answering; otherwise the socket is closed
				 first */
};

static size_t request_read(int fd, char *text, size_t size)
{
	size_t used = 0;
	const char *end, *length;
	while (used < size - 1 && read(fd, text + used, 1) == 1) {
		text[++used] = '\0';
		end = strstr(text, "\r\n\r\n");
		if (end &&
			(!(length = strstr(text, "Content-Length: ")) ||
				used == (size_t)(end - text) + 4 + strtoul(length + 16, NULL, 10)))
			break;
	}
	return used;
}

static int script_play(const struct script *script, int listener)
{
	signal(SIGPIPE, SIG_IGN);
	for (const struct exchange *exchange = script->exchanges; exchange->expected; exchange++) {
		char text[1024] = "";
		int fd = accept(listener, NULL, NULL);
		request_read(fd, text, sizeof text);
		if (!strstr(text, exchange->expected) || !strstr(text, "Host: ")) {
			fprintf(stderr, "server: expected '%s', got '%s'\n", exchange->expected,
				text);
			return 2;
		}
		if (exchange->reply)
			say(fd, exchange->reply);
		else
			stay(fd);
		close(fd);
	}
	if (!script->keeps_listening)
		close(listener);
	if (script->ends_after_ms < 0)
		for (;;)
			pause();
	usleep((useconds_t)script->ends_after_ms * 1000);
	return 0;
}

/* The server received the expected requests, or was killed by this signal. */
static void server_end(pid_t server, int by_signal)
{
	int status;
	assert_int_equal(waitpid(server, &status, 0), server);
	if (by_signal) {
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), by_signal);
	} else {
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
	unlink(monitor);
}

/* The server is reaped only after mvm-host returns, which must treat a zombie as exited. */
static struct outcome run_with(
	const struct script *script, const char *const *arguments, int by_signal)
{
	pid_t server = server_start(script, script_play);
	struct outcome outcome = host_run(arguments);
	server_end(server, by_signal);
	return outcome;
}
#define WITH(SCRIPT, ...) run_with((SCRIPT), (const char *const[]){__VA_ARGS__, NULL}, 0)

static void wrong_usage_is_refused(void **state)
{
	(void)state;
	static const char *const wrong[][6] = {
		{"shutdown", "ch"},
		{"shutdown", "fc", "s"},
		{"shutdown", "ch", "s", "0"},
		{"shutdown", "fc", "s", "5s"},
		{"listens"},
		{"balloon", "ch", "s", "512", "512"},
		{"balloon", "fc", "s", "0", "0"},
		{"balloon", "fc", "s", "512", "-1"},
	};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct outcome outcome = host_run(wrong[i]);
		assert_status(&outcome, 2);
		assert_string_equal(outcome.out, "");
		assert_string_not_equal(outcome.err, "");
	}
}

/* Cloud Hypervisor's socket closes at once; mvm-host must wait until the process exits. */
static void the_power_button_is_pressed(void **state)
{
	(void)state;
	static const struct script script = {
		.exchanges = {CH_RUNS, {"PUT /api/v1/vm.power-button HTTP/1.1\r\n", DONE}},
		.ends_after_ms = 700};
	struct outcome outcome = WITH(&script, "shutdown", "ch", monitor, "30");
	assert_status(&outcome, 0);
	assert_string_equal(outcome.err, "");
	assert_lasted(&outcome, 600, 5000);
}

static void ctrl_alt_del_is_sent(void **state)
{
	(void)state;
	static const struct script script = {
		.exchanges = {FC_RUNS, {"{\"action_type\":\"SendCtrlAltDel\"}", DONE}},
		.ends_after_ms = 300};
	struct outcome outcome = WITH(&script, "shutdown", "fc", monitor, "30");
	assert_status(&outcome, 0);
	assert_string_equal(outcome.err, "");
	assert_lasted(&outcome, 200, 5000);
}

/* The VM was paused by somebody; mvm-host must resume it. */
static void a_paused_vm_is_resumed(void **state)
{
	(void)state;
	static const struct script ch = {
		.exchanges = {{"GET /api/v1/vm.info", STATE("18", "Paused")},
			{"PUT /api/v1/vm.resume", DONE}, {"power-button", DONE}},
		.ends_after_ms = 200,
	};
	struct outcome outcome = WITH(&ch, "shutdown", "ch", monitor, "30");
	assert_status(&outcome, 0);
	assert_says(outcome.err, "the VM is paused; resuming it");
	static const struct script fc = {
		.exchanges = {{"GET / ", STATE("18", "Paused")}, {"{\"state\":\"Resumed\"}", DONE},
			{"SendCtrlAltDel", DONE}},
		.ends_after_ms = 200,
	};
	outcome = WITH(&fc, "shutdown", "fc", monitor, "30");
	assert_status(&outcome, 0);
	assert_says(outcome.err, "the VM is paused; resuming it");
}

static void the_state_is_printed(void **state)
{
	(void)state;
	static const struct script runs = {.exchanges = {CH_RUNS}, .ends_after_ms = 0},
				   paused = {.exchanges = {{"GET / ", STATE("18", "Paused")}},
					   .ends_after_ms = 0};
	struct outcome outcome = WITH(&runs, "state", "ch", monitor);
	assert_status(&outcome, 0);
	assert_string_equal(outcome.out, "running\n");
	outcome = WITH(&paused, "state", "fc", monitor);
	assert_status(&outcome, 0);
	assert_string_equal(outcome.out, "paused\n");
	outcome = RUN("state", "ch", monitor);
	assert_status(&outcome, 0);
	assert_string_equal(outcome.out, "stopped\n");
}

static void the_guest_is_asked_again(void **state)
{
	(void)state;
	static const struct script script = {
		.exchanges = {CH_RUNS, {"power-button", DONE}, {"power-button", DONE}},
		.ends_after_ms = 0};
	struct outcome outcome = WITH(&script, "shutdown", "ch", monitor, "3");
	assert_status(&outcome, 0);
	assert_lasted(&outcome, 900, 2900);
}

static void a_deaf_guest_is_cut_off_by_request(void **state)
{
	(void)state;
	static const struct script script = {
		.exchanges = {CH_RUNS, {"power-button", DONE}, {"power-button", DONE},
			{"PUT /api/v1/vmm.shutdown", DONE}},
		.ends_after_ms = 200,
	};
	struct outcome outcome = WITH(&script, "shutdown", "ch", monitor, "2");
	assert_status(&outcome, 3);
	assert_says(outcome.err, "did not shut down within 2 s; it was cut off");
	assert_lasted(&outcome, 1900, 6000);
}

static void a_deaf_guest_is_cut_off_by_signal(void **state)
{
	(void)state;
	static const struct script script = {
		.exchanges = {FC_RUNS, {"/actions", DONE}, {"/actions", DONE}},
		.ends_after_ms = -1};
	struct outcome outcome = run_with(
		&script, (const char *const[]){"shutdown", "fc", monitor, "2", NULL}, SIGTERM);
	assert_status(&outcome, 3);
	assert_says(outcome.err, "did not shut down within 2 s; it was cut off");
	assert_lasted(&outcome, 1900, 6000);
}

/* If the hypervisor refuses the request, there is nothing to wait for. */
static void a_refusal_ends_the_wait(void **state)
{
	(void)state;
	static const struct script fc = {
		.exchanges = {FC_RUNS, {"/actions", REFUSED}}, .ends_after_ms = -1};
	struct outcome outcome = run_with(
		&fc, (const char *const[]){"shutdown", "fc", monitor, "60", NULL}, SIGTERM);
	assert_status(&outcome, 3);
	assert_says(outcome.err, "not so (HTTP status 400)");
	assert_lasted(&outcome, 1000, 8000);

	static const struct script ch = {
		.exchanges = {CH_RUNS, {"power-button", REFUSED_LIST}, {"vmm.shutdown", DONE}},
		.ends_after_ms = 0};
	outcome = WITH(&ch, "shutdown", "ch", monitor, "60");
	assert_status(&outcome, 3);
	assert_says(outcome.err, "VM is not running");
}

/* The request is refused because the guest is already shutting down. */
static void a_refusal_may_mean_it_ends_already(void **state)
{
	(void)state;
	static const struct script script = {
		.exchanges = {CH_RUNS, {"power-button", REFUSED_LIST}}, .ends_after_ms = 300};
	struct outcome outcome = WITH(&script, "shutdown", "ch", monitor, "60");
	assert_status(&outcome, 0);
}

static void a_hanging_request_is_abandoned(void **state)
{
	(void)state;
	static const struct script script = {
		.exchanges = {CH_RUNS, {"power-button", NULL}, {"vmm.shutdown", DONE}},
		.ends_after_ms = 0};
	struct outcome outcome = WITH(&script, "shutdown", "ch", monitor, "1");
	assert_status(&outcome, 3);
	assert_lasted(&outcome, 900, 5000);
}

static void a_stopped_vm_is_noticed(void **state)
{
	(void)state;
	static const char *const names[] = {"ch", "fc"};
	for (size_t i = 0; i < 2; i++) {
		struct outcome outcome = RUN("shutdown", names[i], monitor, "5");
		assert_status(&outcome, 1);
		assert_says(outcome.err, "no VM is running here");
		outcome = RUN("balloon", names[i], monitor, "64", "5");
		assert_status(&outcome, 1);
		assert_says(outcome.err, "no VM is running here");
	}
	int listener = socket_listen(monitor);
	close(listener);
	struct outcome outcome = RUN("shutdown", "fc", monitor, "5");
	assert_status(&outcome, 1);
	unlink(monitor);
}

static void other_protocols_are_refused(void **state)
{
	(void)state;
	static const char *const replies[] = {
		"hello\r\n\r\n",
		"HTTP/2 204\r\n\r\n",
		"HTTP/1.1 20\r\n\r\n",
		"HTTP/1.1 2040 \r\n\r\n",
		"HTTP/1.1 204 \r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 \r\nContent-Length: 99999999999\r\n\r\n",
		"HTTP/1.1 200 \r\nContent-Length: 9999999\r\n\r\n",
		"HTTP/1.1 200 \r\nContent-Length: 5 x\r\n\r\n12345",
		"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\n1234",
		"HTTP/1.1 204 \r\nServ",
	};
	for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
		struct script script = {
			.exchanges = {CH_RUNS, {"power-button", replies[i]}}, .ends_after_ms = 0};
		pid_t server = server_start(&script, script_play);
		struct outcome outcome = RUN("shutdown", "ch", monitor, "30");
		if (outcome.status != 1)
			print_message("after %s", replies[i]);
		assert_status(&outcome, 1);
		assert_lasted(&outcome, 0, 5000);
		server_end(server, 0);
	}
}

static void firecrackers_balloon_is_set(void **state)
{
	(void)state;
	static const struct script script = {.exchanges = {
						     {"PATCH /balloon HTTP", DONE},
						     {"GET /balloon/statistics", STATISTICS("0")},
						     {"statistics", STATISTICS("8")},
						     {"statistics", STATISTICS("9")},
					     }};
	struct outcome outcome = WITH(&script, "balloon", "fc", monitor, "64", "9");
	assert_status(&outcome, 0);
	assert_string_equal(outcome.out, "9\n");
	assert_string_equal(outcome.err, "");
}

static void cloud_hypervisors_balloon_is_set(void **state)
{
	(void)state;
	static const struct script script = {.exchanges = {
						     {"{\"desired_balloon\":16777216}", DONE},
						     {"GET /api/v1/vm.info", INFO("100663296")},
						     {"vm.info", INFO(" 83886080")},
					     }};
	struct outcome outcome = WITH(&script, "balloon", "ch", monitor, "64", "16");
	assert_status(&outcome, 0);
	assert_string_equal(outcome.out, "16\n");

	static const struct script wrong = {
		.exchanges = {{"desired_balloon", DONE}, {"vm.info", INFO("109051904")}}};
	outcome = WITH(&wrong, "balloon", "ch", monitor, "64", "16");
	assert_status(&outcome, 1);
	assert_says(outcome.err, "has 104 MiB of memory, not 96");
}

static void a_refused_balloon_is_reported(void **state)
{
	(void)state;
	static const struct script refused = {.exchanges = {{"PATCH", REFUSED}}};
	struct outcome outcome = WITH(&refused, "balloon", "fc", monitor, "64", "9");
	assert_status(&outcome, 1);
	assert_says(outcome.err, "not so");
	assert_string_equal(outcome.out, "");

	static const struct script nonsense[] = {
		{.exchanges = {{"PATCH", DONE},
			 {"statistics", "HTTP/1.1 200 \r\nContent-Length: 4\r\n\r\ntrue"}}},
		{.exchanges = {{"PATCH", DONE},
			 {"statistics",
				 "HTTP/1.1 200 \r\nContent-Length: "
				 "17\r\n\r\n{\"actual_mib\":-1}"}}},
		{.exchanges = {{"PATCH", DONE}, {"statistics", DONE}}},
	};
	for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
		outcome = WITH(&nonsense[i], "balloon", "fc", monitor, "64", "9");
		assert_status(&outcome, 1);
		assert_string_equal(outcome.out, "");
		assert_string_not_equal(outcome.err, "");
	}
}

static void the_listener_is_found(void **state)
{
	(void)state;
	struct outcome outcome = RUN("listens", monitor);
	assert_status(&outcome, 1);
	int listener = socket_listen(monitor);
	outcome = RUN("listens", monitor);
	assert_status(&outcome, 0);
	close(listener);
	outcome = RUN("listens", monitor);
	assert_status(&outcome, 1);
	assert_string_equal(outcome.err, "");
	unlink(monitor);
	/* A file that is not a socket must not be removed as a stale one. */
	outcome = RUN("listens", directory);
	assert_status(&outcome, 0);
	assert_says(outcome.err, "socket");
}

/*
 * The guest's own status reaches $NOTIFY_SOCKET, one datagram per connection; variables that would
 * affect the host's service do not.
 */
static void notifications_are_passed_on(void **state)
{
	(void)state;
	char to[108], got[256];
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(to, sizeof to, "%.90s/to", directory);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", to);
	int receiver = socket(AF_UNIX, SOCK_DGRAM, 0);
	assert_int_equal(bind(receiver, (struct sockaddr *)&address, sizeof address), 0);
	setenv("NOTIFY_SOCKET", to, 1);
	/* mvm-host exits when its parent process does, which later becomes the hypervisor. */
	int fd, status, hypervisor[2];
	assert_int_equal(pipe(hypervisor), 0);
	pid_t child = fork();
	if (!child) {
		close(hypervisor[1]);
		pid_t helper = fork();
		if (!helper) {
			execl(program, program, "notify", monitor, (char *)NULL);
			_exit(127);
		}
		_exit(waitpid(helper, &status, 0) == helper && status == 0 &&
					read(hypervisor[0], got, 1) == 0
				? 0
				: 1);
	}
	close(hypervisor[0]);
	for (int64_t end = now_ms() + 5000; (fd = socket_connect(monitor)) < 0 && now_ms() < end;)
		usleep(10000);
	assert_true(fd >= 0);
	say(fd, "STATUS=a\nMAINPID=1\nREADY=1\nFDSTORE=1\nREADY");
	/* The client never closes the stream. */
	ssize_t length = recv(receiver, got, sizeof got - 1, 0);
	assert_int_equal(length, 17);
	assert_memory_equal(got, "STATUS=a\nREADY=1\n", 17);
	assert_int_equal(read(fd, got, 1), 0);
	close(fd);
	fd = socket_connect(monitor);
	say(fd, "STOPPING=1");
	close(fd);
	assert_int_equal(recv(receiver, got, sizeof got, 0), 10);
	unsetenv("NOTIFY_SOCKET");
	close(hypervisor[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	for (int64_t end = now_ms() + 5000; (fd = socket_connect(monitor)) >= 0 && now_ms() < end;
		close(fd))
		usleep(10000);
	assert_true(fd < 0);
	close(receiver);
	unlink(to);
	unlink(monitor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_usage_is_refused),
		cmocka_unit_test(the_power_button_is_pressed),
		cmocka_unit_test(ctrl_alt_del_is_sent),
		cmocka_unit_test(a_paused_vm_is_resumed),
		cmocka_unit_test(the_state_is_printed),
		cmocka_unit_test(the_guest_is_asked_again),
		cmocka_unit_test(a_deaf_guest_is_cut_off_by_request),
		cmocka_unit_test(a_deaf_guest_is_cut_off_by_signal),
		cmocka_unit_test(a_refusal_ends_the_wait),
		cmocka_unit_test(a_refusal_may_mean_it_ends_already),
		cmocka_unit_test(a_hanging_request_is_abandoned),
		cmocka_unit_test(a_stopped_vm_is_noticed),
		cmocka_unit_test(other_protocols_are_refused),
		cmocka_unit_test(firecrackers_balloon_is_set),
		cmocka_unit_test(cloud_hypervisors_balloon_is_set),
		cmocka_unit_test(a_refused_balloon_is_reported),
		cmocka_unit_test(the_listener_is_found),
		cmocka_unit_test(notifications_are_passed_on),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}

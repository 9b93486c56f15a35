/* SPDX-License-Identifier: MIT */
/* mvm-host ($MVM_HOST, otherwise build/mvm-host): the balloon, against a scripted monitor. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/host_qmp.h"

static struct outcome balloon_with(
	const struct script *script, const char *memory, const char *balloon)
{
	pid_t process = server_start(script, script_play);
	struct outcome outcome = RUN("balloon", "qmp", monitor, memory, balloon);
	monitor_end(process);
	return outcome;
}

static void the_balloon_is_set(void **state)
{
	(void)state;
	static const struct script script = {
		.greeting = GREETING,
		.exchanges =
			{
				{"qmp_capabilities", DECOYS DONE},
				{"{\"execute\":\"balloon\",\"arguments\":{\"value\":402653184}}",
					"{\"event\": \"BALLOON_CHANGE\", \"data\": {\"actual\": "
					"7}}\r\n" DONE},
				{"query-balloon",
					DECOYS "{\"return\": {\"actual\": 536870912}}\r\n"},
				{"query-balloon",
					"{\"event\": \"BALLOON_CHANGE\", \"data\": {\"actual\": "
					"9}}\r\n{\"return\": {\"text\": \"\\\"actual\\\": 3\", "
					"\"actual\": 503316480 } }\r\n"},
				{"query-balloon",
					"{\"return\": {\"nested\": {\"actual\": 4}, \"actual\": "
					"402653184}}\r\n" DECOYS},
			},
	};
	struct outcome outcome = balloon_with(&script, "512", "128");
	assert_status(&outcome, 0);
	assert_string_equal(outcome.out, "128\n");
	assert_string_equal(outcome.err, "");
}

static void same_size_always(int fd)
{
	while (receive(fd, "query-balloon"))
		say(fd, "{\"return\": {\"actual\": 503316480}}\r\n");
}

static void a_balloon_may_fall_short(void **state)
{
	(void)state;
	static const struct script script = {.greeting = GREETING,
		.exchanges = {{"qmp_capabilities", DONE}, {"\"balloon\"", DONE}},
		.afterwards = same_size_always};
	struct outcome outcome = balloon_with(&script, "512", "128");
	assert_status(&outcome, 0);
	assert_string_equal(outcome.out, "32\n");
	assert_lasted(&outcome, 0, 9000);
}

static void a_refused_balloon_is_reported(void **state)
{
	(void)state;
	static const struct script script = {.greeting = GREETING,
		.exchanges = {{"qmp_capabilities", DONE}, {"\"balloon\"", REFUSAL}}};
	struct outcome outcome = balloon_with(&script, "512", "128");
	assert_status(&outcome, 1);
	assert_string_equal(outcome.out, "");
	assert_says(outcome.err, "not \"now\"");
}

static void nonsense_replies_are_refused(void **state)
{
	(void)state;
	static const char *const replies[] = {
		"{\"return\": {\"actual\": \"1\"}}\r\n",
		"{\"return\": {\"actual\": -1}}\r\n",
		"{\"return\": {\"actual\": 1e3}}\r\n",
		"{\"return\": {\"actual\": 1.0}}\r\n",
		"{\"return\": {\"a\": {\"actual\": 1}}}\r\n",
		"{\"return\": []}\r\n",
		"{\"return\": {\"actual\": 18446744073709551616}}\r\n",
	};
	for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
		struct script script = {.greeting = GREETING,
			.exchanges = {{"qmp_capabilities", DONE}, {"\"balloon\"", DONE},
				{"query-balloon", replies[i]}},
			.stays = true};
		struct outcome outcome = balloon_with(&script, "512", "0");
		assert_status(&outcome, 1);
		assert_string_equal(outcome.out, "");
		assert_says(outcome.err, "reports no size");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_balloon_is_set),
		cmocka_unit_test(a_balloon_may_fall_short),
		cmocka_unit_test(a_refused_balloon_is_reported),
		cmocka_unit_test(nonsense_replies_are_refused),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}

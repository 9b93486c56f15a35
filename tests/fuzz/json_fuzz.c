/* SPDX-License-Identifier: MIT */
/*
 * Reads arbitrary bytes as JSON that mvm-host receives. Every value found must lie inside the
 * input.
 */
#include <stdlib.h>

#include "backends/runtime/control/json.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_inside(struct json inner, struct json outer)
{
	if (inner.p < outer.p || inner.n > outer.n || inner.p > outer.p + (outer.n - inner.n))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"return", "error", "event", "QMP", "a", ""};
	const struct json text = {(const char *)data, size};
	struct json object, member, inner;
	char copy[8];
	uint64_t number;
	if (!json_object_parse(text.p, text.n, &object))
		return 0;
	must_be_inside(object, text);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (!json_member(object, names[i], &member))
			continue;
		must_be_inside(member, object);
		if (json_member(member, "a", &inner))
			must_be_inside(inner, member);
		json_is_string(member, "SHUTDOWN");
		json_string_copy(member, copy, sizeof copy);
		json_unsigned(member, &number);
	}
	return 0;
}

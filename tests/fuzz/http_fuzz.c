/* SPDX-License-Identifier: MIT */
/* Reads arbitrary bytes as the reply of a hypervisor's HTTP interface. */
#include "tests/fuzz/liar.h"

#include "backends/runtime/control/http.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct request request = {"PUT", "/balloon", "{\"amount_mib\":1}"};
	struct http http;
	struct json body, object, member;
	char text[16];
	uint64_t number;
	if (size == 0 || size > LIAR_MOST_BYTES || !http_open(&http, "nobody-listens.sock"))
		return 0;
	liar.bytes = data;
	liar.count = size;
	if (http_request(&http, &request, clock_ms() + LIAR_PATIENCE_MS, &body) == HTTP_OK &&
		json_object_parse(body.p, body.n, &object) &&
		json_member(object, "actual_mib", &member)) {
		json_unsigned(member, &number);
		json_string_copy(member, text, sizeof text);
	}
	http_close(&http);
	return 0;
}

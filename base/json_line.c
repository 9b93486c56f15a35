/* SPDX-License-Identifier: MIT */
#include "base/json_line.h"

#include <json-c/json.h>
#include <string.h>

#include "base/buf.h"
#include "base/printable.h"

struct json_object *json_line_text(const char *text)
{
	BUF_CLEANUP struct buf clean = {0};
	size_t length = strlen(text);
	for (size_t i = 0, n; i < length; i += n ? n : 1) {
		n = character_length(text + i, length - i);
		buf_add(&clean, n ? text + i : "\uFFFD", n ? n : strlen("\uFFFD"));
	}
	return json_object_new_string(buf_text(&clean));
}

void json_line_print(FILE *out, struct json_object *object)
{
	fprintf(out, "%s\n",
		json_object_to_json_string_ext(
			object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

/* SPDX-License-Identifier: MIT */
#include "backends/runtime/control/json.h"

#include <string.h>

enum { DEPTH_MAX = 64 };

struct cursor {
	const char *p, *end;
};

/* The member that a walk over one object looks for. */
struct wanted {
	const char *name;
	struct json value;
	bool found;
};

static bool skip_value(struct cursor *at, int depth);

static void skip_space(struct cursor *at)
{
	while (at->p < at->end &&
		(*at->p == ' ' || *at->p == '\t' || *at->p == '\r' || *at->p == '\n'))
		at->p++;
}

static bool skip_char(struct cursor *at, char c)
{
	if (at->p == at->end || *at->p != c)
		return false;
	at->p++;
	return true;
}

static bool skip_word(struct cursor *at, const char *word)
{
	size_t length = strlen(word);
	if ((size_t)(at->end - at->p) < length || memcmp(at->p, word, length))
		return false;
	at->p += length;
	return true;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool skip_escape(struct cursor *at)
{
	if (at->p == at->end)
		return false;
	char c = *at->p++;
	if (c != 'u')
		return c && strchr("\"\\/bfnrt", c);
	for (int i = 0; i < 4; i++)
		if (at->p == at->end || !is_hex(*at->p++))
			return false;
	return true;
}

static bool skip_string(struct cursor *at)
{
	if (!skip_char(at, '"'))
		return false;
	while (at->p < at->end) {
		unsigned char c = (unsigned char)*at->p++;
		if (c == '"')
			return true;
		if (c < 0x20 || (c == '\\' && !skip_escape(at)))
			return false;
	}
	return false;
}

static bool skip_digits(struct cursor *at)
{
	const char *start = at->p;
	while (at->p < at->end && *at->p >= '0' && *at->p <= '9')
		at->p++;
	return at->p > start;
}

static bool skip_number(struct cursor *at)
{
	skip_char(at, '-');
	if (!skip_char(at, '0') && !skip_digits(at))
		return false;
	if (skip_char(at, '.') && !skip_digits(at))
		return false;
	if (!skip_char(at, 'e') && !skip_char(at, 'E'))
		return true;
	if (!skip_char(at, '+'))
		skip_char(at, '-');
	return skip_digits(at);
}

static bool skip_array(struct cursor *at, int depth)
{
	if (!skip_char(at, '['))
		return false;
	skip_space(at);
	if (skip_char(at, ']'))
		return true;
	do {
		if (!skip_value(at, depth + 1))
			return false;
		skip_space(at);
	} while (skip_char(at, ','));
	return skip_char(at, ']');
}

static bool skip_member(struct cursor *at, int depth, struct wanted *wanted)
{
	skip_space(at);
	const char *name = at->p;
	if (!skip_string(at))
		return false;
	size_t length = (size_t)(at->p - name) - 2;
	skip_space(at);
	if (!skip_char(at, ':'))
		return false;
	skip_space(at);
	const char *value = at->p;
	if (!skip_value(at, depth + 1))
		return false;
	if (wanted && strlen(wanted->name) == length && !memcmp(name + 1, wanted->name, length)) {
		wanted->value = (struct json){value, (size_t)(at->p - value)};
		wanted->found = true;
	}
	skip_space(at);
	return true;
}

static bool skip_object(struct cursor *at, int depth, struct wanted *wanted)
{
	if (!skip_char(at, '{'))
		return false;
	skip_space(at);
	if (skip_char(at, '}'))
		return true;
	do {
		if (!skip_member(at, depth, wanted))
			return false;
	} while (skip_char(at, ','));
	return skip_char(at, '}');
}

static bool skip_value(struct cursor *at, int depth)
{
	if (depth > DEPTH_MAX)
		return false;
	skip_space(at);
	if (at->p == at->end)
		return false;
	switch (*at->p) {
	case '{':
		return skip_object(at, depth, NULL);
	case '[':
		return skip_array(at, depth);
	case '"':
		return skip_string(at);
	case 't':
		return skip_word(at, "true");
	case 'f':
		return skip_word(at, "false");
	case 'n':
		return skip_word(at, "null");
	default:
		return skip_number(at);
	}
}

bool json_object_parse(const char *text, size_t length, struct json *object)
{
	struct cursor at = {text, text + length};
	skip_space(&at);
	const char *start = at.p;
	if (!skip_object(&at, 0, NULL))
		return false;
	*object = (struct json){start, (size_t)(at.p - start)};
	skip_space(&at);
	return at.p == at.end;
}

bool json_member(struct json value, const char *name, struct json *member)
{
	struct cursor at = {value.p, value.p + value.n};
	struct wanted wanted = {.name = name};
	if (!skip_object(&at, 0, &wanted) || !wanted.found)
		return false;
	*member = wanted.value;
	return true;
}

bool json_next(struct json value, size_t *at, struct json *element)
{
	struct cursor cursor = {value.p + *at, value.p + value.n};
	if (value.n < 2 || value.p[0] != '[' || (!*at && !skip_char(&cursor, '[')))
		return false;
	if (*at && !skip_char(&cursor, ','))
		return false;
	skip_space(&cursor);
	const char *start = cursor.p;
	if (cursor.p == cursor.end || *cursor.p == ']' || !skip_value(&cursor, 1))
		return false;
	*element = (struct json){start, (size_t)(cursor.p - start)};
	skip_space(&cursor);
	*at = (size_t)(cursor.p - value.p);
	return true;
}

static bool is_string(struct json value)
{
	return value.n >= 2 && value.p[0] == '"';
}

bool json_is_string(struct json value, const char *text)
{
	return is_string(value) && value.n == strlen(text) + 2 &&
		!memcmp(value.p + 1, text, value.n - 2);
}

static char printable(char c)
{
	return c >= 0x20 && c < 0x7f ? c : '?';
}

bool json_string_copy(struct json value, char *out, size_t size)
{
	size_t used = 0;
	bool good = is_string(value);
	const char *end = value.p + value.n - 1;
	for (const char *p = value.p + 1; good && p < end && used + 1 < size; p++) {
		char c = *p;
		if (c == '\\') {
			c = *++p;
			if (c == 'u')
				p += 4;
			c = strchr("\"\\/", c) ? c : strchr("nrt", c) ? ' ' : '?';
		}
		out[used++] = printable(c);
	}
	out[used] = '\0';
	return good;
}

bool json_unsigned(struct json value, uint64_t *number)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return false;
		uint64_t digit = (uint64_t)(value.p[i] - '0');
		if (sum > (UINT64_MAX - digit) / 10)
			return false;
		sum = sum * 10 + digit;
	}
	*number = sum;
	return value.n > 0;
}

/* SPDX-License-Identifier: MIT */
#include "compiler/describe/json_text.h"

#include <json-c/json.h>
#include <limits.h>
#include <string.h>

#include "base/buf.h"

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* Returns the value of "\uHHHH", or -1 if the text does not start with one. */
static int escape_value(const char *text, const char *end)
{
	if (end - text < 6 || text[0] != '\\' || text[1] != 'u')
		return -1;
	int value = 0;
	for (int i = 2; i < 6; i++) {
		int digit = hex_digit(text[i]);
		if (digit < 0)
			return -1;
		value = value << 4 | digit;
	}
	return value;
}

/* Returns the character that a surrogate pair "\uHHHH\uHHHH" encodes, or 0 if there is no pair. */
static unsigned pair_value(const char *text, const char *end)
{
	int high = escape_value(text, end);
	int low = high >= 0xd800 && high <= 0xdbff ? escape_value(text + 6, end) : -1;
	if (low < 0xdc00 || low > 0xdfff)
		return 0;
	return 0x10000 + (((unsigned)high - 0xd800) << 10) + ((unsigned)low - 0xdc00);
}

/* Only in JSON is every backslash an escape. */
static bool is_json(const struct bytes *text)
{
	struct json_tokener *tokener = json_tokener_new();
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	struct json_object *value =
		text->n < INT_MAX ? json_tokener_parse_ex(tokener, text->p, (int)text->n) : NULL;
	json_tokener_free(tokener);
	bool valid = value != NULL;
	json_object_put(value);
	return valid;
}

static bool may_have_pairs(const struct bytes *text)
{
	const char *end = text->p + text->n;
	for (const char *at = text->p; at < end && (at = memchr(at, '\\', (size_t)(end - at)));
		at += 2)
		if (pair_value(at, end))
			return true;
	return false;
}

struct bytes json_text_join_surrogates(struct arena *arena, struct bytes text)
{
	if (!may_have_pairs(&text) || !is_json(&text))
		return text;
	BUF_CLEANUP struct buf out = {0};
	const char *end = text.p + text.n;
	for (const char *at = text.p; at < end;) {
		const char *backslash = memchr(at, '\\', (size_t)(end - at));
		const char *stop = backslash ? backslash : end;
		buf_add(&out, at, (size_t)(stop - at));
		unsigned character = backslash ? pair_value(stop, end) : 0;
		size_t taken = character ? 12 : end - stop < 2 ? (size_t)(end - stop) : 2;
		if (character)
			buf_printf(&out, "\\U%08x", character);
		else
			buf_add(&out, stop, taken);
		at = stop + taken;
	}
	return (struct bytes){arena_strndup(arena, buf_text(&out), out.n), out.n};
}

static bool is_blank(char c)
{
	return c && strchr(" \t\r\n", c);
}

static bool is_comment(const char *at)
{
	return at[0] == '/' && (at[1] == '/' || at[1] == '*');
}

/* Whether the text begins with a comment, or with a map whose first key is in quotes. */
static bool looks_like_json(const char *text)
{
	text += strspn(text, " \t\r\n");
	if (is_comment(text))
		return true;
	if (*text++ != '{')
		return false;
	text += strspn(text, " \t\r\n");
	return *text == '"' || is_comment(text);
}

/* Returns the end of a string or of a YAML comment that begins here, else the same place. */
static const char *skip_text(const char *at, char before)
{
	const char quote = *at;
	if (quote == '#' && is_blank(before))
		return at + strcspn(at, "\n");
	if ((quote != '"' && quote != '\'') || !(is_blank(before) || strchr("{[,:", before)))
		return at;
	for (at++; *at && *at != quote; at++)
		at += quote == '"' && at[0] == '\\' && at[1];
	return at;
}

bool json_text_find_comment(const struct bytes *text, size_t *offset)
{
	char before = '\n', token = '\n'; /* the last character, and the last non-blank one */
	if (!looks_like_json(text->p))
		return false;
	for (const char *at = text->p; *at; at++) {
		if (is_comment(at) && token != ':' &&
			(is_blank(before) || strchr("{}[],\"", before))) {
			*offset = (size_t)(at - text->p);
			return true;
		}
		at = skip_text(at, before);
		if (!*at)
			break;
		before = *at;
		token = is_blank(*at) ? token : *at;
	}
	return false;
}

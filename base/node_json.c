/* SPDX-License-Identifier: MIT */
#include "base/node_json.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

static const char digits[] = "0123456789";

void json_put_text(struct buf *out, const char *text)
{
	struct json_object *string = json_object_new_string(text);
	buf_puts(out,
		json_object_to_json_string_ext(
			string, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(string);
}

static bool put_word(struct buf *out, const char *text)
{
	static const char *const words[][2] = {
		{"true", "true"},
		{"True", "true"},
		{"TRUE", "true"},
		{"false", "false"},
		{"False", "false"},
		{"FALSE", "false"},
	};
	for (size_t i = 0; i < countof(words); i++)
		if (strcmp(text, words[i][0]) == 0) {
			buf_puts(out, words[i][1]);
			return true;
		}
	return false;
}

/* Writes 0x1F and 0o17 in decimal. */
static bool put_based(struct buf *out, const char *text)
{
	bool hex = strncmp(text, "0x", 2) == 0;
	const char *number = text + 2;
	if ((!hex && strncmp(text, "0o", 2) != 0) || !*number ||
		number[strspn(number, hex ? "0123456789abcdefABCDEF" : "01234567")])
		return false;
	errno = 0;
	unsigned long long value = strtoull(number, NULL, hex ? 16 : 8);
	if (errno)
		return false;
	buf_printf(out, "%llu", value);
	return true;
}

/*
 * [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?, copied digit by digit, so
 * that no value is rounded.
 */
static bool put_decimal(struct buf *out, const char *text)
{
	const char *sign = *text == '-' ? "-" : "";
	const char *whole = text + (*text == '-' || *text == '+');
	size_t nwhole = strspn(whole, digits);
	bool has_point = whole[nwhole] == '.';
	const char *fraction = whole + nwhole + has_point;
	size_t nfraction = has_point ? strspn(fraction, digits) : 0;
	const char *end = fraction + nfraction, *exponent = "";
	if (nwhole + nfraction == 0)
		return false;
	if (*end == 'e' || *end == 'E') {
		exponent = end++;
		end += *end == '-' || *end == '+';
		size_t n = strspn(end, digits);
		if (n == 0)
			return false;
		end += n;
	}
	if (*end)
		return false;
	while (nwhole > 1 && *whole == '0') { /* JSON has no leading zeros */
		whole++;
		nwhole--;
	}
	buf_printf(out, "%s%.*s%s%.*s%s", sign, nwhole ? (int)nwhole : 1, nwhole ? whole : "0",
		nfraction ? "." : "", (int)nfraction, fraction, exponent);
	return true;
}

void json_put_scalar(struct buf *out, const struct node *scalar)
{
	if (node_is_null(scalar))
		buf_puts(out, "null");
	else if (scalar->quoted ||
		!(put_word(out, scalar->text) || put_based(out, scalar->text) ||
			put_decimal(out, scalar->text)))
		json_put_text(out, scalar->text);
}

/* SPDX-License-Identifier: MIT */
#include "base/number.h"

#include <string.h>

/* Returns a number beyond every base if `digit` is not a digit. */
static unsigned digit_value(char digit)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = digit ? strchr(digits, digit) : NULL;
	return found ? (unsigned)(found - digits) : UINT8_MAX;
}

bool number_parse_base(const char *text, unsigned base, uint64_t min, uint64_t max, uint64_t *value)
{
	uint64_t number = 0;
	if (!*text)
		return false;
	for (; *text; text++) {
		const unsigned digit = digit_value(*text);
		if (digit >= base || number > (UINT64_MAX - digit) / base)
			return false;
		number = number * base + digit;
	}
	if (number < min || number > max)
		return false;
	*value = number;
	return true;
}

bool number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
	return number_parse_base(text, 10, min, max, value);
}

bool hex_parse(const char *text, unsigned char *bytes, size_t count)
{
	if (strlen(text) != 2 * count)
		return false;
	for (size_t i = 0; i < count; i++) {
		const unsigned high = digit_value(text[2 * i]), low = digit_value(text[2 * i + 1]);
		if (high >= 16 || low >= 16)
			return false;
		bytes[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

const char *plural(uint64_t number)
{
	return number == 1 ? "" : "s";
}

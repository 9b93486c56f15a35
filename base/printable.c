/* SPDX-License-Identifier: MIT */
#include "base/printable.h"

#include <string.h>

#include "base/arena.h"
#include "base/buf.h"

static bool is_continuation_byte(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

size_t character_length(const char *text, size_t length)
{
	unsigned char first = (unsigned char)text[0],
		      second = length > 1 ? (unsigned char)text[1] : 0;
	size_t n = first < 0x80 ? 1
		: first < 0xc2  ? 0
		: first < 0xe0  ? 2
		: first < 0xf0  ? 3
		: first < 0xf5  ? 4
				: 0;
	if (n > length)
		return 0;
	for (size_t i = 1; i < n; i++)
		if (!is_continuation_byte(text[i]))
			return 0;
	bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
	bool surrogate = first == 0xed && second >= 0xa0, beyond = first == 0xf4 && second >= 0x90;
	return overlong || surrogate || beyond ? 0 : n;
}

static unsigned code_point(const char *text, size_t length)
{
	static const unsigned char payload[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	unsigned code = (unsigned char)text[0] & payload[length];
	for (size_t i = 1; i < length; i++)
		code = code << 6 | ((unsigned char)text[i] & 0x3f);
	return code;
}

bool character_commands(const char *text, size_t length)
{
	static const struct {
		unsigned first, last;
	} ranges[] = {
		{0, 0x1f}, /* C0 */
		/* delete, and C1, of which U+009B starts a terminal command as ESC [ does */
		{0x7f, 0x9f},
		/*
		 * Bidi_Control in Unicode's PropList.txt, and the separators of lines and
		 * paragraphs
		 */
		{0x61c, 0x61c},
		{0x200e, 0x200f},
		{0x2028, 0x202e},
		{0x2066, 0x2069},
	};
	const unsigned code = code_point(text, length);
	for (size_t i = 0; i < countof(ranges); i++)
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	return false;
}

void buf_printable(struct buf *buf, const char *text, size_t length)
{
	for (size_t i = 0, n; i < length; i += n) {
		n = character_length(text + i, length - i);
		if (n && !character_commands(text + i, n)) {
			buf_add(buf, text + i, n);
			continue;
		}
		n = n ? n : 1;
		for (size_t k = 0; k < n; k++)
			buf_printf(buf, "\\x%02x", (unsigned char)text[i + k]);
	}
}

const char *printable_text(struct arena *arena, const char *text)
{
	BUF_CLEANUP struct buf out = {0};
	buf_printable(&out, text, strlen(text));
	return arena_strdup(arena, buf_text(&out));
}

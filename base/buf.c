/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/ending.h"

void buf_free(struct buf *buf)
{
	free(buf->p);
	*buf = (struct buf){0};
}

static void buf_reserve(struct buf *buf, size_t more)
{
	if (more > SIZE_MAX / 4 - buf->n)
		ending_out_of_memory();
	if (buf->n + more + 1 <= buf->capacity)
		return;
	size_t capacity = (buf->n + more + 1) * 2;
	buf->p = require_memory(realloc(buf->p, capacity));
	buf->capacity = capacity;
}

void buf_add(struct buf *buf, const void *bytes, size_t count)
{
	buf_reserve(buf, count);
	if (count)
		memcpy(buf->p + buf->n, bytes, count);
	buf->n += count;
	buf->p[buf->n] = '\0';
}

void buf_puts(struct buf *buf, const char *text)
{
	buf_add(buf, text, strlen(text));
}

void buf_cut(struct buf *buf, size_t count)
{
	if (count >= buf->n)
		return;
	buf->n = count;
	buf->p[count] = '\0';
}

void buf_printf(struct buf *buf, const char *format, ...)
{
	va_list arguments, again;
	va_start(arguments, format);
	va_copy(again, arguments);
	int length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (length < 0)
		ending_out_of_memory();
	buf_reserve(buf, (size_t)length);
	vsnprintf(buf->p + buf->n, (size_t)length + 1, format, again);
	va_end(again);
	buf->n += (size_t)length;
}

void buf_shell_quote(struct buf *buf, const char *text)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:,./@%";
	/* A shell takes `a=b` for a word only in argument position, where every value goes. */
	if (*text && text[strspn(text, plain)] == '\0') {
		buf_puts(buf, text);
		return;
	}
	buf_puts(buf, "'");
	for (const char *from = text;; from++) {
		size_t run = strcspn(from, "'");
		buf_add(buf, from, run);
		from += run;
		if (!*from)
			break;
		buf_puts(buf, "'\\''");
	}
	buf_puts(buf, "'");
}

const char *buf_text(const struct buf *buf)
{
	return buf->p ? buf->p : "";
}

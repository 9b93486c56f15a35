/* SPDX-License-Identifier: MIT */
/* buf: a growable byte string. Quoting for the shell exists only here. */
#ifndef MVM_BASE_BUF_H
#define MVM_BASE_BUF_H

#include <stddef.h>

/*
 * Start with `struct buf b = {0};`. A 0 byte that `n` does not count terminates `p` (NULL while
 * empty).
 */
struct buf {
	char *p;
	size_t n;
	size_t capacity;
};

void buf_free(struct buf *buf);
#define BUF_CLEANUP __attribute__((cleanup(buf_free)))

void buf_add(struct buf *buf, const void *bytes, size_t count);
void buf_puts(struct buf *buf, const char *text);
/* Cuts off everything after the first `count` bytes. */
void buf_cut(struct buf *buf, size_t count);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Appends `text` so that a POSIX shell reads it as exactly this one word. */
void buf_shell_quote(struct buf *buf, const char *text);
/* Returns the text so far ("" when empty), valid until the next change. */
const char *buf_text(const struct buf *buf);

#endif

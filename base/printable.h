/* SPDX-License-Identifier: MIT */
/*
 * printable: makes text that somebody else wrote (a file's name, a description's value) safe to
 * print.
 */
#ifndef MVM_BASE_PRINTABLE_H
#define MVM_BASE_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct buf;

/*
 * Returns the length of the UTF-8 character that `text` starts with, in bytes; 0 if it is invalid.
 */
size_t character_length(const char *text, size_t length);
/*
 * Whether that character controls a terminal or rearranges others: control characters, line ends,
 * directions of writing.
 */
bool character_commands(const char *text, size_t length);
/* Appends `text`, with \xNN for each byte of such a character and for each invalid byte. */
void buf_printable(struct buf *buf, const char *text, size_t length);
/* As buf_printable, for a whole string. */
const char *printable_text(struct arena *arena, const char *text);

#endif

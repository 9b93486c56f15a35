/* SPDX-License-Identifier: MIT */
/*
 * printable: text that somebody else wrote (a file's name, a description's value), as it may stand
 * in what people read.
 */
#ifndef MVM_BASE_PRINTABLE_H
#define MVM_BASE_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct buf;

/* The bytes of the UTF-8 character that `text` starts with; 0 when it starts with none. */
size_t character_length(const char *text, size_t length);
/*
 * Whether that character commands a terminal, or changes where others stand: control characters,
 * ends of lines, directions of writing.
 */
bool character_commands(const char *text, size_t length);
/* Appends it with \xNN for each byte of such a character, and of what is none. */
void buf_printable(struct buf *buf, const char *text, size_t length);
/* The same of a whole text. */
const char *printable(struct arena *arena, const char *text);

#endif

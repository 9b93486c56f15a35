/* SPDX-License-Identifier: MIT */
/* json_text: converts JSON syntax that a YAML parser does not understand. */
#ifndef MVM_COMPILER_DESCRIBE_JSON_TEXT_H
#define MVM_COMPILER_DESCRIBE_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/file.h"

/*
 * JSON writes a character beyond U+FFFF as two UTF-16 escapes ("\ud83d\ude00"), YAML as one
 * ("\U0001f600"). Converts a JSON text to the latter form; returns any other text unchanged.
 */
struct bytes json_text_join_surrogates(struct arena *arena, struct bytes text);

/* Finds a comment, "//" or a slash and a star, in a text that looks like JSON: {"key". */
bool json_text_find_comment(const struct bytes *text, size_t *offset);

#endif

/* SPDX-License-Identifier: MIT */
/* json_text: where JSON says something that a reader of YAML does not understand. */
#ifndef MVM_COMPILER_DESCRIBE_JSON_TEXT_H
#define MVM_COMPILER_DESCRIBE_JSON_TEXT_H

#include "base/arena.h"
#include "base/file.h"

/*
 * JSON writes a character beyond U+FFFF as two escapes of UTF-16 ("\ud83d\ude00"), YAML as one
 * ("\U0001f600"). Returns a JSON text with the latter, and any other text as it is.
 */
struct bytes json_text_join_surrogates(struct arena *arena, struct bytes text);

#endif

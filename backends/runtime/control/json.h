/* SPDX-License-Identifier: MIT */
/*
 * A strict, bounded JSON scanner: it checks a whole text, then finds members in place. It allocates
 * nothing.
 */
#ifndef MVM_BACKENDS_RUNTIME_CONTROL_JSON_H
#define MVM_BACKENDS_RUNTIME_CONTROL_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The bytes of one JSON value, without white space around it. */
struct json {
	const char *p;
	size_t n;
};

/* True when the text is one well-formed JSON object and nothing more. */
bool json_object_parse(const char *text, size_t length, struct json *object);
/*
 * The member of that name of this object itself, never of one inside it; the last one when it is
 * given twice. False when value is no object.
 */
bool json_member(struct json value, const char *name, struct json *member);
/*
 * The element of an array that begins at or behind `*at`, 0 for the first, which is moved on. False
 * behind the last one, and when value is no array.
 */
bool json_next(struct json value, size_t *at, struct json *element);
/* True when the value is that string, written without escapes. */
bool json_is_string(struct json value, const char *text);
/*
 * Copies a string for a message: cut to the size, what is not printable ASCII as '?'. False (and
 * "") when it is no string.
 */
bool json_string_copy(struct json value, char *out, size_t size);
/* A number without sign, fraction and exponent. */
bool json_unsigned(struct json value, uint64_t *number);

#endif

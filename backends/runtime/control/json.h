/* SPDX-License-Identifier: MIT */
/*
 * json: a strict, bounded JSON scanner. It checks a whole text, then finds members in place, and
 * allocates nothing.
 */
#ifndef MVM_BACKENDS_RUNTIME_CONTROL_JSON_H
#define MVM_BACKENDS_RUNTIME_CONTROL_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The bytes of one JSON value, without surrounding white space. */
struct json {
	const char *p;
	size_t n;
};

/* Whether the text is a single well-formed JSON object. */
bool json_object_parse(const char *text, size_t length, struct json *object);
/*
 * Finds a member of this object itself, not of a nested one; the last one if it is given twice.
 * False if there is none, or `value` is not an object.
 */
bool json_member(struct json value, const char *name, struct json *member);
/*
 * Returns the element of an array that starts at or after `*at` (0 for the first), and advances
 * `*at`. False after the last one, or if `value` is not an array.
 */
bool json_next(struct json value, size_t *at, struct json *element);
/* Whether the value is that string, written without escapes. */
bool json_is_string(struct json value, const char *text);
/*
 * Copies a string for a message, truncated to `size`, with '?' for anything but printable ASCII.
 * False (and "") if it is not a string.
 */
bool json_string_copy(struct json value, char *out, size_t size);
/* Reads a number without sign, fraction and exponent. */
bool json_unsigned(struct json value, uint64_t *number);

#endif

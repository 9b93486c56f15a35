/* SPDX-License-Identifier: MIT */
/* number: parses numbers that stand alone in a text. Needs nothing but libc. */
#ifndef MVM_BASE_NUMBER_H
#define MVM_BASE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Parses decimal digits, and nothing else, in the range min..max. */
bool number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *value);
/* As number_parse, with lower-case digits of a base up to 16. */
bool number_parse_base(
	const char *text, unsigned base, uint64_t min, uint64_t max, uint64_t *value);
/* The ending of a noun behind a number: "" for 1, else "s". */
const char *plural(uint64_t number);
/* Parses exactly `count` bytes, each of two lower-case hexadecimal digits. */
bool hex_parse(const char *text, unsigned char *bytes, size_t count);

#endif

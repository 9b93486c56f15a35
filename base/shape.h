/* SPDX-License-Identifier: MIT */
/* shape: what names, addresses and paths look like. */
#ifndef MVM_BASE_SHAPE_H
#define MVM_BASE_SHAPE_H

#include <stdbool.h>

#include "base/arena.h"

/* ASCII letters and digits, and the characters in `more`; also an empty text. */
bool is_made_of(const char *text, const char *more);
/*
 * A letter or digit, then letters, digits, '-', '_' and '.': safe in file names, arguments and
 * scripts.
 */
bool is_name(const char *text);
bool is_fs_type(const char *text);
/* 8-4-4-4-12 hex digits. */
bool is_uuid(const char *text);
/* Six pairs of hex digits with colons between them, of one machine. */
bool is_unicast_mac(const char *text);
/* 0000:01:00.0, the domain may be left out. */
bool is_pci_address(const char *text);
/* One to four numbers with dots between them, such as 51 or 9.1.0. */
bool is_version(const char *text);
/*
 * Absolute, one way to write it: without empty parts, "." and "..", and no line break. "/" is none.
 */
bool is_plain_path(const char *path);
/* Whether `path` is `directory` or something in it. */
bool is_within(const char *path, const char *directory);

/*
 * A path as it is compared: without "./", "//", a final slash and, as far as they can be told by
 * the text, "..". NULL stays NULL.
 */
const char *simple_path(struct arena *arena, const char *path);
/* NULL stays NULL. */
const char *lower_case(struct arena *arena, const char *text);

#endif

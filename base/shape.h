/* SPDX-License-Identifier: MIT */
/* shape: the syntax of names, addresses and paths. */
#ifndef MVM_BASE_SHAPE_H
#define MVM_BASE_SHAPE_H

#include <stdbool.h>

#include "base/arena.h"

/*
 * Whether `text` has only ASCII letters, digits, and the characters in `more`; true for an empty
 * text.
 */
bool is_made_of(const char *text, const char *more);
/*
 * A letter or digit, then letters, digits, '-', '_' and '.': safe in file names, arguments and
 * scripts.
 */
bool is_name(const char *text);
bool is_fs_type(const char *text);
/* 8-4-4-4-12 hex digits. */
bool is_uuid(const char *text);
/* Six pairs of hex digits with colons between them, without the multicast bit. */
bool is_unicast_mac(const char *text);
/* 0000:01:00.0, or 01:00.0 without the domain. */
bool is_pci_address(const char *text);
/* One to four numbers with dots between them, such as 51 or 9.1.0. */
bool is_version(const char *text);
/* An absolute path without empty parts, "." and "..", and without a line break; "/" is not one. */
bool is_plain_path(const char *path);
/* Whether `path` is `directory` or lies in it. */
bool is_within(const char *path, const char *directory);

/*
 * Normalizes a path for comparison: removes "./", "//", a trailing slash, and ".." as far as the
 * text alone allows. NULL stays NULL.
 */
const char *simple_path(struct arena *arena, const char *path);
/* NULL stays NULL. */
const char *lower_case(struct arena *arena, const char *text);

#endif

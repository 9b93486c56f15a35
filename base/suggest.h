/* SPDX-License-Identifier: MIT */
/* suggest: what the user may have meant. */
#ifndef MVM_BASE_SUGGEST_H
#define MVM_BASE_SUGGEST_H

#include <stddef.h>

/* The candidate closest to `word`, or NULL when none is close enough to be a misspelling of it. */
const char *suggest(const char *word, const char *const *candidates, size_t count);

#endif

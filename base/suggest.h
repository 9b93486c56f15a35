/* SPDX-License-Identifier: MIT */
/* suggest: finds the word that a misspelling was meant to be. */
#ifndef MVM_BASE_SUGGEST_H
#define MVM_BASE_SUGGEST_H

#include <stddef.h>

/*
 * Returns the candidate closest to `word`; NULL if none is close enough to be a misspelling of it.
 */
const char *suggest(const char *word, const char *const *candidates, size_t count);

#endif

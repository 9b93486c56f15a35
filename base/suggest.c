/* SPDX-License-Identifier: MIT */
#include "base/suggest.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Longer words are never compared: no option is that long. */
enum { LONGEST = 40, SHORTEST_BEGINNING = 3 };

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Counts the edits (insert, delete, replace, swap neighbours) between two words, ignoring case. */
static unsigned distance(const char *a, size_t alen, const char *b, size_t blen)
{
	unsigned rows[3][LONGEST + 1];
	for (unsigned j = 0; j <= blen; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= alen; i++) {
		unsigned *row = rows[i % 3], *above = rows[(i - 1) % 3];
		const unsigned *above2 = rows[(i + 1) % 3];
		row[0] = i;
		for (unsigned j = 1; j <= blen; j++) {
			int x = tolower((unsigned char)a[i - 1]),
			    y = tolower((unsigned char)b[j - 1]);
			row[j] =
				least(least(above[j] + 1, row[j - 1] + 1), above[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) &&
				y == tolower((unsigned char)a[i - 2]))
				row[j] = least(row[j], above2[j - 2] + 1);
		}
	}
	return rows[alen % 3][blen];
}

/*
 * Finds a candidate of which `word` is a prefix, or the reverse: "memory" for mem, "host" for
 * hostName.
 */
static const char *by_beginning(
	const char *word, size_t length, const char *const *candidates, size_t count)
{
	const char *best = NULL;
	size_t nearest = LONGEST;
	for (size_t i = 0; i < count; i++) {
		size_t other = strlen(candidates[i]), shorter = length < other ? length : other,
		       longer = length < other ? other : length;
		if (shorter >= SHORTEST_BEGINNING && longer - shorter < nearest &&
			strncasecmp(word, candidates[i], shorter) == 0) {
			nearest = longer - shorter;
			best = candidates[i];
		}
	}
	return best;
}

const char *suggest(const char *word, const char *const *candidates, size_t count)
{
	size_t length = strlen(word);
	if (length == 0 || length > LONGEST)
		return NULL;
	const char *best = NULL;
	unsigned limit = (unsigned)(length < 5 ? 1 : length < 8 ? 2 : 3), nearest = limit + 1;
	for (size_t i = 0; i < count; i++) {
		size_t other = strlen(candidates[i]);
		if (other > LONGEST || other + limit < length || length + limit < other)
			continue;
		unsigned edits = distance(word, length, candidates[i], other);
		if (edits < nearest && edits < other) {
			nearest = edits;
			best = candidates[i];
		}
	}
	return best ? best : by_beginning(word, length, candidates, count);
}

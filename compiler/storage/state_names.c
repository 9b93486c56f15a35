/* SPDX-License-Identifier: MIT */
#include "compiler/storage/state_names.h"

#include <string.h>

const char *const state_own_names[] = {
	"current",
	STATE_REMOVING,
	"booted",
	"old",
	"source",
	"flake",
	"toplevel",
	"declared",
	".result",
	STATE_RUNNERS,
	NULL,
};

static bool is(const char *name, size_t length, const char *text)
{
	return length == strlen(text) && strncmp(name, text, length) == 0;
}

static bool starts(const char *name, size_t length, const char *text)
{
	return length >= strlen(text) && strncmp(name, text, strlen(text)) == 0;
}

/* See compiler/microvm/links.c and file_rewrite. */
static bool is_version_of(const char *name, size_t length, const char *of)
{
	const size_t n = strlen(of);
	if (is(name, length, of) ||
		(starts(name, length, of) && starts(name + n, length - n, ".new-")))
		return true;
	return length > n && name[0] == '.' && starts(name + 1, length - 1, of) &&
		is(name + 1 + n, length - 1 - n, ".new");
}

bool state_name_is_ours(const char *name, size_t length)
{
	for (const char *const *ours = state_own_names; *ours; ours++)
		if (is_version_of(name, length, *ours))
			return true;
	return starts(name, length, STATE_NEW_IMAGE);
}

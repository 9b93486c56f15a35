/* SPDX-License-Identifier: MIT */
/* cache_settings: the caches of compressed store paths that a build uses. */
#ifndef MVM_COMPILER_SESSION_CACHE_SETTINGS_H
#define MVM_COMPILER_SESSION_CACHE_SETTINGS_H

#include "base/diag.h"
#include "compiler/session/settings.h"
#include "imaging/cache/cache.h"

/*
 * The directory of the user's own cache, which need not exist yet; NULL when there is none, with a
 * warning unless no_cache is set.
 */
const char *settings_cache(
	struct arena *arena, struct diag *diag, const struct build_settings *settings);
/* Refuses settings that contradict each other, and owners that are not users. */
bool settings_check(struct diag *diag, const struct build_settings *settings);
/*
 * Sets `*out` to the further caches, NULL when there are none. Reports an error if one of the
 * owners is not a user.
 */
bool settings_sharing(struct arena *arena, struct diag *diag, const struct build_settings *settings,
	const struct cache_sharing **out);

#endif

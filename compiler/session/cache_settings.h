/* SPDX-License-Identifier: MIT */
/* cache_settings: the caches of compressed store paths that a build uses. */
#ifndef MVM_COMPILER_SESSION_CACHE_SETTINGS_H
#define MVM_COMPILER_SESSION_CACHE_SETTINGS_H

#include "base/diag.h"
#include "compiler/session/settings.h"
#include "imaging/cache/cache.h"

/*
 * The directory of the own cache, which need not exist yet; NULL when there is none, with a warning
 * unless nobody wants one.
 */
const char *settings_cache(
	struct arena *arena, struct diag *diag, const struct build_settings *settings);
/*
 * Further caches to take objects from, NULL when there are none. False, with an error, when one of
 * the owners is not a user.
 */
bool settings_sharing(struct arena *arena, struct diag *diag, const struct build_settings *settings,
	const struct cache_sharing **out);

#endif

/* SPDX-License-Identifier: MIT */
/* build: a planned session made into a runner, as its command line says. */
#ifndef MVM_COMPILER_SESSION_BUILD_H
#define MVM_COMPILER_SESSION_BUILD_H

#include "compiler/runner/runner.h"
#include "compiler/session/progress.h"
#include "compiler/session/session.h"

/* Where compressed store paths are kept; NULL: nowhere. */
const char *build_cache(struct session *session);
/*
 * The same for those who look after it: there is one, or an error says why not. It may not be there
 * yet.
 */
const char *build_own_cache(struct session *session);
/*
 * Further caches to look into, NULL when there are none. False, with an error, when an owner is no
 * user.
 */
bool build_sharing(struct session *session, const struct cache_sharing **out);
/*
 * Builds what was planned at `output`, with its roots for Nix's garbage collector when they are
 * asked for.
 */
bool build_runner(struct session *session, struct progress *progress, const char *output,
	struct runner_result *result);

#endif

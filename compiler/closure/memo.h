/* SPDX-License-Identifier: MIT */
/*
 * memo: remembers what was read from store paths, so that a run with several VMs reads each path
 * once. Thread-safe.
 */
#ifndef MVM_COMPILER_CLOSURE_MEMO_H
#define MVM_COMPILER_CLOSURE_MEMO_H

#include <stdbool.h>

#include "compiler/closure/search.h"

/*
 * The set of paths in the store directory must not change while a memo exists. A path whose
 * contents change is detected later, when it is packed.
 */
struct closure_memo;
struct closure_memo *closure_memo_new(void);
void closure_memo_free(struct closure_memo *memo);

/*
 * Looks up a path's NAR hash and size. With `searched`, only an entry that was also searched for
 * references counts. Returns false if there is no such entry.
 */
bool closure_memo_find(
	struct closure_memo *memo, const char *path, bool searched, struct finding *out);
/* Adds a copy of the finding unless the path is known already. */
void closure_memo_add(
	struct closure_memo *memo, const char *path, bool searched, const struct finding *finding);

#endif

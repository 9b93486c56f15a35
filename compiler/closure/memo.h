/* SPDX-License-Identifier: MIT */
/*
 * memo: what was read in store paths, for the closures of further VMs of the same run: each path is
 * read once. Safe for threads.
 */
#ifndef MVM_COMPILER_CLOSURE_MEMO_H
#define MVM_COMPILER_CLOSURE_MEMO_H

#include <stdbool.h>

#include "compiler/closure/search.h"

/*
 * While it lives, the store directory has the same paths; what changes in them is found when they
 * are packed.
 */
struct closure_memo;
struct closure_memo *closure_memo_new(void);
void closure_memo_free(struct closure_memo *memo);

/*
 * What was read of the path, with what was found in it if it must be `searched`; false when it was
 * not.
 */
bool closure_memo_find(
	struct closure_memo *memo, const char *path, bool searched, struct finding *out);
/* All is copied, unless it is there already. */
void closure_memo_add(
	struct closure_memo *memo, const char *path, bool searched, const struct finding *finding);

#endif

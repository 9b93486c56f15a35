/* SPDX-License-Identifier: MIT */
/* build: builds the runner of a planned session with its settings. */
#ifndef MVM_COMPILER_SESSION_BUILD_H
#define MVM_COMPILER_SESSION_BUILD_H

#include "compiler/runner/runner.h"
#include "compiler/session/progress.h"
#include "compiler/session/session.h"

/* Reports a closure that was read. */
void progress_closure(struct progress *progress, const struct closure *closure);
/* Reports a store disk; `title` begins the text. */
void progress_disk(
	struct progress *progress, const char *title, const struct store_disk_result *disk);
/* Builds what was planned at `output`, and registers garbage collector roots if they are wanted. */
bool build_runner(struct session *session, struct progress *progress, const char *output,
	struct runner_result *result);

#endif

/* SPDX-License-Identifier: MIT */
/* process: run another program, never through a shell. */
#ifndef MVM_PROCESS_H
#define MVM_PROCESS_H

#include <stdbool.h>

#include "compiler/base/file.h"

struct arena;

struct process_result {
	int exit_status;            /* 128 + signal when a signal ended it; 127 when it could not be started */
	struct bytes output, error; /* what it printed, in the arena; `error` is cut at 64 KiB */
};

/*
 * Runs argv[0] (looked up in PATH) with nothing to read and waits. The child dies with us. False, with an error, when it could not be started
 * or waited for; an unsuccessful exit is for the caller to judge.
 */
bool process_run(struct arena *arena, struct diag *diag, const char *const argv[], struct process_result *out);
/* The same, but what it says on standard error is seen at once, and `error` is empty. */
bool process_run_shown(struct arena *arena, struct diag *diag, const char *const argv[], struct process_result *out);

#endif

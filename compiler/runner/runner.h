/* SPDX-License-Identifier: MIT */
/* runner: the directory that a build makes, published in one step. */
#ifndef MVM_COMPILER_RUNNER_RUNNER_H
#define MVM_COMPILER_RUNNER_RUNNER_H

#include <stdbool.h>

#include "compiler/images/images.h"
#include "compiler/plan/plan.h"

struct runner_result {
	const char *path; /* absolute */
	const char *fingerprint;
	bool up_to_date; /* it was there already, made from the same inputs */
	struct image_results images;
};

/*
 * What the runner's contents depend on, as hex digits; NULL after an error. The same inputs make
 * the same runner.
 */
const char *runner_fingerprint(struct arena *arena, struct diag *diag, const struct plan *plan);
/* The fingerprint of the runner at `path`; NULL when it is none of ours. */
const char *runner_fingerprint_of(struct arena *arena, const char *path);

/*
 * Builds the runner at `output`. A runner that is there is replaced; anything else there is an
 * error and stays untouched.
 */
bool runner_build(struct arena *arena, struct diag *diag, const struct plan *plan,
	const struct image_settings *settings, const char *output, struct runner_result *result);

#endif

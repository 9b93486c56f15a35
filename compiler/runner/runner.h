/* SPDX-License-Identifier: MIT */
/* runner: builds the runner, a directory that is published in one step. */
#ifndef MVM_COMPILER_RUNNER_RUNNER_H
#define MVM_COMPILER_RUNNER_RUNNER_H

#include <stdbool.h>

#include "compiler/images/images.h"
#include "compiler/plan/plan.h"

struct runner_result {
	const char *path; /* absolute */
	const char *fingerprint;
	bool up_to_date; /* it existed already, built from the same inputs */
	struct image_results images;
};

/*
 * Returns a hash of everything that the runner's contents depend on, in hex digits, or NULL after
 * an error. Equal inputs produce equal runners.
 */
const char *runner_fingerprint(struct arena *arena, struct diag *diag, const struct plan *plan);
/* Returns the fingerprint of the runner at `path`, or NULL if it is not a runner of mvmbuild. */
const char *runner_fingerprint_of(struct arena *arena, const char *path);

/*
 * Builds the runner at `output`. An existing runner is replaced; anything else is an error and
 * stays untouched.
 */
bool runner_build(struct arena *arena, struct diag *diag, const struct plan *plan,
	const struct image_settings *settings, const char *output, struct runner_result *result);

#endif

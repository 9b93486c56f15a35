/* SPDX-License-Identifier: MIT */
/* derivation: reads the outputs of a .drv file. */
#ifndef MVM_IMAGING_STORE_DERIVATION_H
#define MVM_IMAGING_STORE_DERIVATION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"

struct arena;

struct derivation_output {
	const char *name; /* "out" */
	const char
		*path; /* "" if it is not known before the build (content-addressed derivations) */
};

struct derivation_outputs {
	struct derivation_output *v;
	size_t n, capacity;
};

/*
 * Reads the outputs of the .drv file at `path`; the rest of it is ignored. Errors are STATUS_INPUT.
 * Strings live in `arena`.
 */
bool derivation_read_outputs(
	struct arena *arena, struct diag *diag, const char *path, struct derivation_outputs *out);

#endif

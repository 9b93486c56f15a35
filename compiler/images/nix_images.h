/* SPDX-License-Identifier: MIT */
/* nix_images: the files of the guest's Nix database, and what stage 1 does with them. */
#ifndef MVM_COMPILER_IMAGES_NIX_IMAGES_H
#define MVM_COMPILER_IMAGES_NIX_IMAGES_H

#include "compiler/plan/plan.h"

/*
 * Both make files in the directory `scratch`, and add steps: what must be done before the overlay
 * on the store is mounted, and after it.
 */
bool nix_images_before_store(struct arena *arena, struct diag *diag, const struct plan *plan,
	const char *scratch, struct stage1_steps *steps);
bool nix_images_after_store(struct arena *arena, struct diag *diag, const struct plan *plan,
	const char *scratch, struct stage1_steps *steps);

#endif

/* SPDX-License-Identifier: MIT */
/* nix_images: the files of the guest's Nix database. */
#ifndef MVM_COMPILER_IMAGES_NIX_IMAGES_H
#define MVM_COMPILER_IMAGES_NIX_IMAGES_H

#include "compiler/plan/plan.h"

/* Makes the files that the plan's contents name, in the directory `scratch`. */
bool nix_images_make(
	struct arena *arena, struct diag *diag, const struct plan *plan, const char *scratch);

#endif

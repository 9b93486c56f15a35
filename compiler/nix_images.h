/* SPDX-License-Identifier: MIT */
/* nix_images: the files of the guest's Nix database, and what stage 1 does with them. */
#ifndef MVM_NIX_IMAGES_H
#define MVM_NIX_IMAGES_H

#include "compiler/plan.h"

/* Where stage 1 puts the registration; the kernel parameter regInfo= names it. Outside the store, where no collection can take it away. */
const char *nix_registration_path(struct arena *arena, const struct plan *plan);

/* Both make files in the directory `scratch`, and add steps: what must be done before the overlay on the store is mounted, and after it. */
bool nix_images_before_store(struct arena *arena, struct diag *diag, const struct plan *plan, const char *scratch, struct stage1_steps *steps);
bool nix_images_after_store(struct arena *arena, struct diag *diag, const struct plan *plan, const char *scratch, struct stage1_steps *steps);

#endif

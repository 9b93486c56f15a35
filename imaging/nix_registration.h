/* SPDX-License-Identifier: MIT */
/* nix_registration: a closure as `nix-store --load-db` reads it. */
#ifndef MVM_NIX_REGISTRATION_H
#define MVM_NIX_REGISTRATION_H

#include <stdbool.h>

#include "compiler/base/diag.h"
#include "imaging/store_path.h"

/* Creates `path`. Every path of the closure needs its nar_hash. */
bool nix_registration_write(struct diag *diag, const char *path, const struct closure *closure);

#endif

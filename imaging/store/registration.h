/* SPDX-License-Identifier: MIT */
/* registration: writes a closure in the format of `nix-store --load-db`. */
#ifndef MVM_IMAGING_STORE_REGISTRATION_H
#define MVM_IMAGING_STORE_REGISTRATION_H

#include <stdbool.h>

#include "base/diag.h"
#include "imaging/store/store_path.h"

/* Creates `path`. Every path of the closure needs its nar_hash. */
bool nix_registration_write(struct diag *diag, const char *path, const struct closure *closure);

#endif

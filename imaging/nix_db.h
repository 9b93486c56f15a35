/* SPDX-License-Identifier: MIT */
/* nix_db: Nix's own database of a closure, ready to be used by a guest. */
#ifndef MVM_NIX_DB_H
#define MVM_NIX_DB_H

#include <stdbool.h>

#include "compiler/base/diag.h"
#include "imaging/store_path.h"

/* Writes DIRECTORY/db.sqlite and DIRECTORY/schema (existing directory). Every path needs its nar_hash. Same bytes for the same closure. */
bool nix_db_write(struct diag *diag, const char *directory, const struct closure *closure, uint32_t registration_time);

#endif

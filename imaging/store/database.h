/* SPDX-License-Identifier: MIT */
/* database: Nix's own database of a closure, ready to be used by a guest. */
#ifndef MVM_IMAGING_STORE_DATABASE_H
#define MVM_IMAGING_STORE_DATABASE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "imaging/store/store_path.h"

/*
 * Writes DIRECTORY/db.sqlite and DIRECTORY/schema (existing directory) as Nix 2.8 and later read
 * them. Every path needs its nar_hash; .drv files are read where they are. Same bytes for the same
 * closure. On failure there is neither file.
 */
bool nix_db_write(struct diag *diag, const char *directory, const struct closure *closure,
	uint32_t registration_time);

#endif

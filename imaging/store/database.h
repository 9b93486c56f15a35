/* SPDX-License-Identifier: MIT */
/* database: writes a Nix database of a closure for a guest. */
#ifndef MVM_IMAGING_STORE_DATABASE_H
#define MVM_IMAGING_STORE_DATABASE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "imaging/store/store_path.h"

/*
 * Writes DIRECTORY/db.sqlite and DIRECTORY/schema (existing directory) for Nix 2.8 and later. Every
 * path needs its nar_hash; .drv files are read from the store. The same closure gives the same
 * bytes. On failure neither file exists.
 */
bool nix_db_write(struct diag *diag, const char *directory, const struct closure *closure,
	uint32_t registration_time);

#endif

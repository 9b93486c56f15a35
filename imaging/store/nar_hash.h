/* SPDX-License-Identifier: MIT */
/* nar_hash: the hash and size by which Nix identifies the contents of a store path. */
#ifndef MVM_IMAGING_STORE_NAR_HASH_H
#define MVM_IMAGING_STORE_NAR_HASH_H

#include "base/diag.h"
#include "imaging/store/nar.h"

/*
 * SHA-256 of the NAR of `path` (a symbolic link is not followed), and the NAR's size in bytes.
 * False with an error (STATUS_INPUT) if something cannot be read, or is a device, socket or pipe,
 * which Nix does not store.
 */
bool nar_hash(struct diag *diag, const char *path, char hash[NAR_HASH_DIGITS + 1], uint64_t *size);
/*
 * Hashes a root file system with the attributes of its files (store/attributes.h). Warns about
 * attributes that cannot be kept.
 */
bool tree_hash(struct diag *diag, const char *path, char hash[NAR_HASH_DIGITS + 1], uint64_t *size);
/* Computes only the size; file contents are not read. */
bool nar_size(struct diag *diag, const char *path, uint64_t *size);

/*
 * Compares the hash that was found with the known one (NULL: nothing to compare); records an error
 * with both if they differ.
 */
bool nar_check(struct diag *diag, const char *path, const char *known, const char *found);
/* Reads `path` if its hash is known, and compares it as nar_check does. */
bool nar_verify(struct diag *diag, const char *path, const char *known);

#endif

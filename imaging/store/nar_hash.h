/* SPDX-License-Identifier: MIT */
/* nar_hash: the hash and the size that Nix knows a store path by. */
#ifndef MVM_IMAGING_STORE_NAR_HASH_H
#define MVM_IMAGING_STORE_NAR_HASH_H

#include "base/diag.h"
#include "imaging/store/nar.h"

/*
 * SHA-256 of the NAR of `path` (not followed where it is a symbolic link), and the NAR's size in
 * bytes. False, with an error (STATUS_INPUT), for what cannot be read and for what Nix does not
 * keep: devices, sockets, pipes.
 */
bool nar_hash(struct diag *diag, const char *path, char hash[NAR_HASH_DIGITS + 1], uint64_t *size);
/* The size alone; no content is read. */
bool nar_size(struct diag *diag, const char *path, uint64_t *size);

/*
 * Whether `path` is what it is known as, by the hashes of both; an error names them. `known` NULL:
 * nothing is known, which is fine.
 */
bool nar_check(struct diag *diag, const char *path, const char *known, const char *found);
/* The same of what `path` is now: it is read, if its hash is known. */
bool nar_verify(struct diag *diag, const char *path, const char *known);

#endif

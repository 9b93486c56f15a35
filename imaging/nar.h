/* SPDX-License-Identifier: MIT */
/* nar: the hash and the size that Nix knows a store path by. */
#ifndef MVM_NAR_H
#define MVM_NAR_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler/base/diag.h"

/*
 * SHA-256 of the NAR of `path` (not followed where it is a symbolic link), 64 lower-case digits and a 0 byte, and the NAR's size in bytes.
 * False, with an error (STATUS_INPUT), for what cannot be read and for what Nix does not keep: devices, sockets, pipes.
 */
bool nar_hash(struct diag *diag, const char *path, char hash[65], uint64_t *size);
/* The size alone; no content is read. */
bool nar_size(struct diag *diag, const char *path, uint64_t *size);

#endif

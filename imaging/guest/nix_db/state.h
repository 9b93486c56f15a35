/* SPDX-License-Identifier: MIT */
/* state: Nix's state directory (/nix/var/nix) after the guest that used it is gone. */
#ifndef MVM_IMAGING_GUEST_NIX_DB_STATE_H
#define MVM_IMAGING_GUEST_NIX_DB_STATE_H

#include <stdbool.h>

/*
 * Removes what only processes of the last boot meant: temporary roots, sockets that nobody listens
 * on; and the garbage collector's roots of the last image (gcroots/mvm-*), which stage 1 makes
 * anew. Whatever is missing is fine.
 */
bool state_clean(const char *state_dir);

#endif

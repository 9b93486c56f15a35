/* SPDX-License-Identifier: MIT */
/* state: Nix's state directory (/nix/var/nix) after the guest that used it has ended. */
#ifndef MVM_IMAGING_GUEST_NIX_DB_STATE_H
#define MVM_IMAGING_GUEST_NIX_DB_STATE_H

#include <stdbool.h>

/*
 * Removes files that only processes of the last boot used (temporary roots, sockets that no process
 * listens on) and the garbage collector's roots of the last image (gcroots/mvm-*), which stage 1
 * creates again. Missing directories are ignored.
 */
bool state_clean(const char *state_dir);

#endif

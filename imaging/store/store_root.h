/* SPDX-License-Identifier: MIT */
/*
 * store_root: Nix's requirements for its store directory: a directory of its own for links, and
 * write permission for the build group (nix's local-store.cc).
 */
#ifndef MVM_IMAGING_STORE_STORE_ROOT_H
#define MVM_IMAGING_STORE_STORE_ROOT_H

enum { STORE_ROOT_MODE = 01775, STORE_ROOT_GID = 30000, STORE_LINKS_MODE = 0755 };
#define STORE_LINKS_NAME ".links"

#endif

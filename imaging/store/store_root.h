/* SPDX-License-Identifier: MIT */
/*
 * store_root: what Nix wants of the directory that is its store: links of its own, and a root that
 * the build group may write to (nix's local-store.cc).
 */
#ifndef MVM_IMAGING_STORE_STORE_ROOT_H
#define MVM_IMAGING_STORE_STORE_ROOT_H

enum { STORE_ROOT_MODE = 01775, STORE_ROOT_GID = 30000, STORE_LINKS_MODE = 0755 };
#define STORE_LINKS_NAME ".links"

#endif

/* SPDX-License-Identifier: MIT */
/* package_name: splits the name of a store path into the package's name, version and output. */
#ifndef MVM_COMPILER_INSPECT_PACKAGE_NAME_H
#define MVM_COMPILER_INSPECT_PACKAGE_NAME_H

#include "base/arena.h"

struct package_name {
	const char *name, *version, *output; /* "" if absent */
};

/*
 * Parses HASH-NAME-VERSION-OUTPUT. As in Nix, the version starts after the first dash that is not
 * followed by a letter. The last word is an output only after a version and only if it is a known
 * output name ("bin", "dev", …).
 */
void package_name_parse(struct arena *arena, const char *store_name, struct package_name *out);

#endif

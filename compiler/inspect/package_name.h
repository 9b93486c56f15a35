/* SPDX-License-Identifier: MIT */
/* package_name: what people call a store path: openssl 3.0.11. */
#ifndef MVM_COMPILER_INSPECT_PACKAGE_NAME_H
#define MVM_COMPILER_INSPECT_PACKAGE_NAME_H

#include "base/arena.h"

struct package_name {
	const char *name, *version, *output; /* "" where there is none */
};

/*
 * Of HASH-NAME-VERSION-OUTPUT. The version starts behind the first dash that no letter follows, as
 * for Nix. Only behind a version a word that is known as one is the output ("bin", "dev", …).
 */
void package_name_parse(struct arena *arena, const char *store_name, struct package_name *out);

#endif

/* SPDX-License-Identifier: MIT */
/* hint: finds the option that an unknown name probably means. */
#ifndef MVM_COMPILER_DESCRIBE_HINT_H
#define MVM_COMPILER_DESCRIBE_HINT_H

#include "backends/interface/option.h"
#include "base/arena.h"

/* The map of a description with the unknown name. */
struct hint_place {
	const struct option *top;   /* the table of the whole file */
	const struct option *table; /* the table of the map */
	const char *path;           /* "volumes[1]"; "": the top */
};

struct hint {
	/* the option that is probably meant, below the map: "vcpu", "vsock.cid"; NULL: unknown */
	const char *option;
	/* for a message, with its separator: "; did you mean "vcpu"?"; never NULL */
	const char *text;
};

struct hint hint_find(struct arena *arena, const struct hint_place *place, const char *name);
/* The probably meant choice of an option ("hypervisor", "shares[0].proto"); NULL: unknown. */
const char *hint_value(const char *path, const char *const *choices, const char *text);

/*
 * Returns the option that a path names, in the table or below it: "volumes.size", "volumes[0].size"
 * or "volumes.0.size". NULL if there is none.
 */
const struct option *option_at(const struct option *table, const char *path);
/* Returns the option of the table that the first part of a path names; NULL if there is none. */
const struct option *option_first(const struct option *table, const char *path);
/* Returns the rest of a path after its first part, "size" for "volumes[0].size". */
const char *option_path_rest(const char *path, const struct option *first);

#endif

/* SPDX-License-Identifier: MIT */
/* store_path: Nix's information about one store path. */
#ifndef MVM_IMAGING_STORE_STORE_PATH_H
#define MVM_IMAGING_STORE_STORE_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store_path {
	const char *path; /* absolute, in the store directory: /nix/store/HASH-NAME */
	const char *name; /* its last component, inside `path` */
	/*
	 * The directory that is packed under this name as the guest's root file system, with the
	 * owners and all other attributes of its files; NULL: an ordinary store path.
	 */
	const char *rootfs;
	/*
	 * SHA-256 of its NAR in base 16, 64 digits; NULL if unknown, which never occurs in a plan's
	 * closure
	 */
	const char *nar_hash;
	int64_t nar_size;    /* bytes; -1 if unknown */
	const char *deriver; /* NULL if unknown */
	const char *sigs;    /* separated by spaces; NULL without */
	const char *ca;      /* content address; NULL without */
	bool ultimate;       /* built here, not fetched */
	/* indices into the closure, ascending; includes the path itself if it refers to itself */
	const size_t *refs;
	size_t nrefs;
};

/* Store paths sorted by `path` (strcmp), without duplicates, closed under references. */
struct closure {
	const struct store_path *v;
	size_t n;
	const char *store_dir; /* "/nix/store" */
	const char *source;    /* description of its source, for messages */
};

#endif

/* SPDX-License-Identifier: MIT */
/*
 * source: what a VM is built from. Its directory remembers it: `source` has the path of a
 * description, `flake` a flake reference.
 */
#ifndef MVM_COMPILER_MICROVM_SOURCE_H
#define MVM_COMPILER_MICROVM_SOURCE_H

#include "compiler/microvm/host.h"

enum source_kind {
	SOURCE_UNKNOWN,     /* nothing is remembered */
	SOURCE_DECLARED,    /* by the host's own configuration: there is a link `toplevel` */
	SOURCE_DESCRIPTION, /* a file, or a directory with it */
	SOURCE_FLAKE,
};

struct source {
	enum source_kind kind;
	const char *text; /* an absolute path, or a flake reference */
};

/* Parses the value of --source; NULL: microvm.nix's default, the flake of the host's NixOS. */
bool source_parse(const struct host *host, const char *text, struct source *source);
/* Reads and writes what a VM's directory remembers. */
bool source_read(const struct host *host, const char *directory, struct source *source);
bool source_write(const struct host *host, const char *directory, const struct source *source);

/* The result of a build, or what a build would make now. */
struct product {
	/* target for the link `current`: runners/FINGERPRINT or a store path; NULL: not built */
	const char *target;
	const char *fingerprint; /* of a description's runner */
	const char *system;      /* its toplevel */
};

/* Builds. A description's runner goes to `directory`, the VM's or one that will become it. */
bool source_build(const struct host *host, const struct source *source, const char *name,
	const char *directory, struct product *product);
/* The runner of a product that was built in `directory`. */
const char *product_runner(
	const struct host *host, const char *directory, const struct product *product);
/* Finds out what would be built, without building it. */
bool source_wanted(const struct host *host, const struct source *source, const char *name,
	struct product *product);

/* flake.c: as source_build and source_wanted, for flakes. */
bool flake_build(const struct host *host, const char *flake, const char *name,
	const char *directory, struct product *product);
bool flake_wanted(
	const struct host *host, const char *flake, const char *name, struct product *product);
/* Removes Nix's link to its result, after `current` leads there. */
void flake_forget_result(const struct host *host, const char *directory);
/* Shows which packages changed between two runners in Nix's store. */
void flake_show_difference(const struct host *host, const char *before, const char *after);

#endif

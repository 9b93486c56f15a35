/* SPDX-License-Identifier: MIT */
/*
 * source: what a VM is made from, as it is remembered in its directory: in `source` a description,
 * in `flake` a flake reference.
 */
#ifndef MVM_COMPILER_MICROVM_SOURCE_H
#define MVM_COMPILER_MICROVM_SOURCE_H

#include "compiler/microvm/host.h"

enum source_kind {
	SOURCE_UNKNOWN,     /* nothing is remembered */
	SOURCE_DECLARED,    /* by the host's own configuration: the link `toplevel` is there */
	SOURCE_DESCRIPTION, /* a file, or a directory with one */
	SOURCE_FLAKE,
};

struct source {
	enum source_kind kind;
	const char *text; /* an absolute path, or a flake reference */
};

/* What --source says; NULL: the reference's default, the flake of the host's NixOS. */
bool source_parse(const struct host *host, const char *text, struct source *source);
/* What is remembered in a VM's directory. */
bool source_read(const struct host *host, const char *directory, struct source *source);
bool source_write(const struct host *host, const char *directory, const struct source *source);

/* What a build gave, or would give now. */
struct product {
	/* of the link `current`: runners/FINGERPRINT, or a store path; NULL: nothing was built */
	const char *target;
	const char *fingerprint; /* of a description's runner */
	const char *system;      /* its toplevel */
};

/* Builds; the runner of a description in `directory`, the VM's own or one that becomes it. */
bool source_build(const struct host *host, const struct source *source, const char *name,
	const char *directory, struct product *product);
/* What would be built, building nothing. */
bool source_wanted(const struct host *host, const struct source *source, const char *name,
	struct product *product);

/* flake.c: the same for flakes. */
bool flake_build(const struct host *host, const char *flake, const char *name,
	const char *directory, struct product *product);
bool flake_wanted(
	const struct host *host, const char *flake, const char *name, struct product *product);
/* After `current` leads to what was built: Nix's own link to it goes. */
void flake_forget_result(const struct host *host, const char *directory);
/* Shows which packages changed between two runners in Nix's store. */
void flake_show_difference(const struct host *host, const char *before, const char *after);

#endif

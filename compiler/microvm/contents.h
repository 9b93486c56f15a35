/* SPDX-License-Identifier: MIT */
/* contents: the entries of a VM's directory, sorted by who made them. */
#ifndef MVM_COMPILER_MICROVM_CONTENTS_H
#define MVM_COMPILER_MICROVM_CONTENTS_H

#include "compiler/microvm/machine.h"

enum content_kind {
	CONTENT_MADE,   /* made by `microvm`, or by the runner at each start */
	CONTENT_VOLUME, /* an image that a runner's description names, or a file that belongs to one
			 */
	CONTENT_OTHER,  /* made by somebody else */
};

struct content {
	enum content_kind kind;
	const char *directory; /* below the VM's directory; "": directly in it */
	const char *name;
	const char *path; /* directory and name */
};

struct contents {
	VEC(struct content) in;
	struct strings elsewhere; /* volumes that are not in the VM's directory */
};

/* The link `current` under another name: the directory is not a VM any more, but not yet empty. */
#define REMOVING STATE_REMOVING

/* Finds all entries of the directory, and volumes further below. The directory is locked. */
bool contents_find(
	const struct host *host, const struct machine *machine, struct contents *contents);
/* Whether an interrupted removal or creation left files of ours in a directory without a VM. */
bool contents_are_left(const struct host *host, const struct machine *machine);

#endif

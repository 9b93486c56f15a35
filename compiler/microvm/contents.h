/* SPDX-License-Identifier: MIT */
/* contents: what is in a VM's directory, and whose it is. */
#ifndef MVM_COMPILER_MICROVM_CONTENTS_H
#define MVM_COMPILER_MICROVM_CONTENTS_H

#include "compiler/microvm/machine.h"

enum content_kind {
	CONTENT_MADE,   /* by `microvm`, or by the runner, which makes it anew at each start */
	CONTENT_VOLUME, /* an image that a runner's description names, or what belongs to one */
	CONTENT_OTHER,  /* not ours */
};

struct content {
	enum content_kind kind;
	const char *directory; /* in the VM's; "" */
	const char *name;
	const char *path; /* both */
};

struct contents {
	VEC(struct content) in;
	struct strings elsewhere; /* volumes that are not in the VM's directory */
};

/* A VM that is being taken away has this, and is none: the link `current` under another name. */
#define REMOVING STATE_REMOVING

/* Of a directory that is locked: all that is in it, and volumes further below. */
bool contents_find(
	const struct host *host, const struct machine *machine, struct contents *contents);
/* Whether something of a VM is left, though it is none: a removal or a creation was cut off. */
bool contents_are_left(const struct host *host, const struct machine *machine);

#endif

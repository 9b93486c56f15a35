/* SPDX-License-Identifier: MIT */
/*
 * extra_args: what the description's extraArgs say to options of Cloud Hypervisor that can be given
 * but once.
 */
#ifndef MVM_BACKENDS_CLOUD_HYPERVISOR_EXTRA_ARGS_H
#define MVM_BACKENDS_CLOUD_HYPERVISOR_EXTRA_ARGS_H

#include "backends/interface/backend.h"

/* Options that are given once, so that ours and those of extraArgs are made one. */
struct ch_extra {
	const char *cpus, *platform, *vsock; /* NULL: not in extraArgs */
	const char *console, *serial;        /* these stay among the rest */
	struct strings rest;
};

struct ch_extra ch_extra_read(struct arena *arena, const struct strings *arguments);
/* Refuses what is an option of the description. */
void ch_extra_check(struct diag *diag, const struct vm *vm, const struct strings *arguments);

/* "a,b", or the one that is there. */
const char *ch_join(struct arena *arena, const char *a, const char *b);
/* The value of a key in "key=value,key=value"; NULL: it is not there. */
const char *ch_value_of(struct arena *arena, const char *text, const char *key);

#endif

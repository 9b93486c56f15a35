/* SPDX-License-Identifier: MIT */
/*
 * extra_args: the part of extraArgs that concerns options which Cloud Hypervisor accepts only once.
 */
#ifndef MVM_BACKENDS_CLOUD_HYPERVISOR_EXTRA_ARGS_H
#define MVM_BACKENDS_CLOUD_HYPERVISOR_EXTRA_ARGS_H

#include "backends/interface/backend.h"

/* Options accepted only once, so that ours and those of extraArgs are merged. */
struct ch_extra {
	const char *cpus, *platform, *vsock;    /* NULL: not in extraArgs */
	const char *console, *serial, *seccomp; /* these also stay in `rest` */
	struct strings rest;
};

struct ch_extra ch_extra_read(struct arena *arena, const struct strings *arguments);
/* Refuses arguments for which the description has an option. */
void ch_extra_check(struct diag *diag, const struct vm *vm, const struct guest *guest);

/* "a,b", or one of them if the other is NULL. */
const char *ch_join(struct arena *arena, const char *a, const char *b);
/* The value of a key in "key=value,key=value"; NULL if it is missing. */
const char *ch_value_of(struct arena *arena, const char *text, const char *key);

#endif

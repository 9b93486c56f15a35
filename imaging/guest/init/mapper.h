/* SPDX-License-Identifier: MIT */
/* mapper: creates devices of the kernel's device mapper. */
#ifndef MVM_IMAGING_GUEST_INIT_MAPPER_H
#define MVM_IMAGING_GUEST_INIT_MAPPER_H

#include <stdbool.h>
#include <stdint.h>

struct mapping {
	const char *name, *uuid; /* shorter than 128 bytes */
	uint64_t sectors;        /* of 512 bytes */
	const char *target;      /* shorter than 16 bytes */
	const char *parameters;  /* the target's parameters */
};

/*
 * Creates the device, read-only and active; it is /dev/dm-`*minor`. False with errno set: ENODEV if
 * the kernel has no device mapper.
 */
bool mapper_create(const struct mapping *mapping, unsigned *minor);

#endif

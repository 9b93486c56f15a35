/* SPDX-License-Identifier: MIT */
/* mapper: a device of the kernel's device mapper. */
#ifndef MVM_IMAGING_GUEST_INIT_MAPPER_H
#define MVM_IMAGING_GUEST_INIT_MAPPER_H

#include <stdbool.h>
#include <stdint.h>

struct mapping {
	const char *name, *uuid; /* shorter than 128 bytes */
	uint64_t sectors;        /* of 512 bytes */
	const char *target;      /* shorter than 16 bytes */
	const char *parameters;  /* of the target */
};

/*
 * Makes it, read-only and in use; `*minor` is its number: /dev/dm-N. False with errno set, ENODEV
 * where the kernel has no device mapper.
 */
bool mapper_create(const struct mapping *mapping, unsigned *minor);

#endif

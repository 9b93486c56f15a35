/* SPDX-License-Identifier: MIT */
/* grow: file systems that grow while they are mounted. */
#ifndef MVM_IMAGING_GUEST_INIT_GROW_H
#define MVM_IMAGING_GUEST_INIT_GROW_H

#include "imaging/guest/init/parameters.h"

/*
 * Makes the xfs or btrfs that is mounted on `target` as large as its disk. That it fails is told,
 * and not the end: it is as good as before.
 */
void grow_make(const struct parameters *parameters, const char *target);

#endif

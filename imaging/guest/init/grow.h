/* SPDX-License-Identifier: MIT */
/* grow: enlarges mounted file systems. */
#ifndef MVM_IMAGING_GUEST_INIT_GROW_H
#define MVM_IMAGING_GUEST_INIT_GROW_H

#include "imaging/guest/init/parameters.h"

/*
 * Makes the ext2, ext3, ext4, xfs or btrfs that is mounted on `target` as large as its disk. A
 * failure is reported and the boot goes on: the file system keeps its size and its files.
 */
void grow_make(const struct parameters *parameters, const char *target);

#endif

/* SPDX-License-Identifier: MIT */
/* mounts: mounts the guest's file systems. Failures are reported in full, and end the VM. */
#ifndef MVM_IMAGING_GUEST_INIT_MOUNTS_H
#define MVM_IMAGING_GUEST_INIT_MOUNTS_H

#include "imaging/guest/init/parameters.h"
#include "imaging/guest/init/plan.h"

/* Mounts the kernel's own file systems in the initramfs: /proc, /sys and /dev. */
void mounts_early(void);
/* Returns the number of steps that come before a mount on "/", which are done in the initramfs. */
size_t mounts_below_root(const struct init_plan *plan);
/*
 * Makes the guest's root the root directory, with /proc, /sys, /dev and /run; returns the directory
 * of the initramfs.
 */
int mounts_enter_root(const struct parameters *parameters, const struct init_plan *plan);
/* Mounts any file system but the root, which must be mounted. */
void mount_make(const struct parameters *parameters, const struct stage1_mount *mount);

#endif

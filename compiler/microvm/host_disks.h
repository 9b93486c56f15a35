/* SPDX-License-Identifier: MIT */
/* host_disks: the store disks that this host links, for its VMs. */
#ifndef MVM_COMPILER_MICROVM_HOST_DISKS_H
#define MVM_COMPILER_MICROVM_HOST_DISKS_H

#include "compiler/microvm/host.h"

/* Links the disk of a runner if it needs one that is not there. */
bool host_disk_link(const struct host *host, const char *runner);
/* Removes the disks that no VM needs any more. */
bool host_disks_prune(const struct host *host);
/* The directory of the disks, which programs of runners find by DISK_PLACE_VARIABLE. */
const char *host_disks(const struct host *host);

#endif

/* SPDX-License-Identifier: MIT */
/* disk: the guest's disks, found by what they say of themselves. */
#ifndef MVM_IMAGING_GUEST_INIT_DISK_H
#define MVM_IMAGING_GUEST_INIT_DISK_H

#include <stdbool.h>

#include "imaging/guest/init/parameters.h"

enum { DISK_PATH_BYTES = 300 }; /* "/dev/" and a directory entry's name */

/* Waits for the disk with this serial number; false when it does not come in time. */
bool disk_wait(const struct parameters *parameters, const char *serial, char path[DISK_PATH_BYTES]);
/* Waits for a file. */
bool device_wait(const struct parameters *parameters, const char *path);
/* How many disks have a file system of this identity (plan.h); `path` is one of them. */
unsigned disks_identify(const char *identity, char path[DISK_PATH_BYTES]);
/* Whether the one at `path` has. */
bool disk_is(const char *path, const char *identity);
/* Tells which disks there are. */
void disks_tell(void);

#endif

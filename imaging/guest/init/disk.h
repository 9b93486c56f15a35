/* SPDX-License-Identifier: MIT */
/* disk: finds the guest's disks by serial number or file system. */
#ifndef MVM_IMAGING_GUEST_INIT_DISK_H
#define MVM_IMAGING_GUEST_INIT_DISK_H

#include <stdbool.h>

#include "imaging/guest/init/parameters.h"

enum { DISK_PATH_BYTES = 300 }; /* "/dev/" and a directory entry's name */

/* Waits for the disk with this serial number; false after a timeout. */
bool disk_wait(const struct parameters *parameters, const char *serial, char path[DISK_PATH_BYTES]);
/* Waits for a file to appear; false after a timeout. */
bool device_wait(const struct parameters *parameters, const char *path);
/* Counts the disks with a file system of this identity (plan.h); `path` is one of them. */
unsigned disks_identify(const char *identity, char path[DISK_PATH_BYTES]);
/* Whether the disk at `path` has this identity. */
bool disk_is(const char *path, const char *identity);
/* Prints a list of the disks. */
void disks_print(void);

#endif

/* SPDX-License-Identifier: MIT */
/* network_fs: whether other machines may have the same files open without our kernel knowing. */
#ifndef MVM_BASE_NETWORK_FS_H
#define MVM_BASE_NETWORK_FS_H

#include <stdbool.h>

/*
 * Whether an open file is on such a file system, NFS for example. There, others see data only after
 * it was synced, data that we read may not be on the server's disk yet, and directories are locked
 * only among the processes of one machine.
 */
bool fd_is_remote(int fd);

#endif

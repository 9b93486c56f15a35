/* SPDX-License-Identifier: MIT */
/*
 * network_fs: whether other machines, of which our kernel knows nothing, may have the same files
 * open.
 */
#ifndef MVM_BASE_NETWORK_FS_H
#define MVM_BASE_NETWORK_FS_H

#include <stdbool.h>

/*
 * Of the file system of an open file. There, on NFS for one, others see what was written only after
 * it was synced, what we read may not be on the server's disk yet, and directories are locked among
 * the processes of one machine alone.
 */
bool fd_is_remote(int fd);

#endif

/* SPDX-License-Identifier: MIT */
#include "base/network_fs.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/vfs.h>

#include <linux/magic.h>

#include "base/arena.h"

/* Older headers lack some of these. */
#ifndef SMB2_SUPER_MAGIC
#define SMB2_SUPER_MAGIC 0xFE534D42
#endif
#ifndef CIFS_SUPER_MAGIC
#define CIFS_SUPER_MAGIC 0xFF534D42
#endif
#ifndef CEPH_SUPER_MAGIC
#define CEPH_SUPER_MAGIC 0x00c36400
#endif
#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546
#endif

bool fd_is_remote(int fd)
{
	/* FUSE may be virtiofs or sshfs; treating a local one as remote only costs time. */
	static const uint32_t types[] = {NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, SMB2_SUPER_MAGIC,
		CIFS_SUPER_MAGIC, CEPH_SUPER_MAGIC, FUSE_SUPER_MAGIC, V9FS_MAGIC, AFS_SUPER_MAGIC,
		AFS_FS_MAGIC, CODA_SUPER_MAGIC};
	struct statfs fs;
	if (fstatfs(fd, &fs) != 0)
		return false;
	for (size_t i = 0; i < countof(types); i++)
		if ((uint32_t)fs.f_type == types[i])
			return true;
	return false;
}

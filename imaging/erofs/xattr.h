/* SPDX-License-Identifier: MIT */
/* xattr: the extended attributes of a file, which follow its inode. */
#ifndef MVM_IMAGING_EROFS_XATTR_H
#define MVM_IMAGING_EROFS_XATTR_H

#include <stdint.h>

#include "imaging/store/attributes.h"

/*
 * Returns their size, 0 if there are none. It is a multiple of 32, so that the packs of a
 * compressed file's index have the same sizes as without them (imaging/erofs/index.c).
 */
uint32_t erofs_xattr_bytes(struct attributes attributes);
/* `into` is zeroed. */
void erofs_xattr_write(struct attributes attributes, unsigned char *into);

#endif

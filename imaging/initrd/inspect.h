/* SPDX-License-Identifier: MIT */
/* inspect: recognises an initramfs by its content. */
#ifndef MVM_IMAGING_INITRD_INSPECT_H
#define MVM_IMAGING_INITRD_INSPECT_H

/*
 * Returns NULL for a file that Linux unpacks as an initramfs, else what it is ("a text file").
 * Only the start of the file is read. It must be a regular file that can be read.
 */
const char *initrd_inspect(const char *path);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * initramfs: writes a newc cpio archive, compressed with gzip, that depends only on its content:
 * owner 0:0, the same time for all, inodes in order.
 */
#ifndef MVM_IMAGING_INITRD_INITRAMFS_H
#define MVM_IMAGING_INITRD_INITRAMFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/diag.h"

struct arena;
struct gzip_memo;
struct initramfs;

/*
 * Creates the file `path`, which must not exist. `memo` (may be NULL) saves compressing files that
 * other archives contain too. NULL with an error. End it by initramfs_finish or initramfs_abandon.
 */
struct initramfs *initramfs_create(struct arena *arena, struct diag *diag, const char *path,
	uint32_t time, struct gzip_memo *memo);

/* Names are relative ("dev/console"); a directory must precede its entries. False with an error. */
bool initramfs_add_directory(struct initramfs *initramfs, const char *name, mode_t mode);
bool initramfs_add_character_device(
	struct initramfs *initramfs, const char *name, mode_t mode, unsigned major, unsigned minor);
bool initramfs_add_bytes(struct initramfs *initramfs, const char *name, mode_t mode,
	const void *bytes, size_t count);
/* Adds the file `source` of this machine, decompressed if `unpack` is set. */
bool initramfs_add_file(struct initramfs *initramfs, const char *name, mode_t mode,
	const char *source, bool unpack);

/* Completes the file and returns its size; false with an error, and without the file. */
bool initramfs_finish(struct initramfs *initramfs, uint64_t *bytes);
/* Removes the file. */
void initramfs_abandon(struct initramfs *initramfs);

#endif

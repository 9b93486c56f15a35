/* SPDX-License-Identifier: MIT */
/*
 * sparse_archive: writes a file with holes as a small compressed archive, which GNU tar and bsdtar
 * unpack with its holes.
 */
#ifndef MVM_IMAGING_VOLUME_SPARSE_ARCHIVE_H
#define MVM_IMAGING_VOLUME_SPARSE_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"

/*
 * Writes `archive` (pax with GNU's sparse format 1.0, gzip; must not exist) with the file `source`
 * as `member`, mode 0600, owner 0:0, `time` in seconds since 1970. Every 4 KiB block of zeros
 * becomes part of a hole, so that the same content gives the same bytes on any file system; holes
 * of the source are not read. On failure there is no archive.
 */
bool sparse_archive_write(struct diag *diag, const char *source, const char *member,
	const char *archive, uint32_t time);

#endif

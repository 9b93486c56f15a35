/* SPDX-License-Identifier: MIT */
/* sparse_archive: a file with holes as a small compressed archive that GNU tar and bsdtar unpack with its holes. */
#ifndef MVM_SPARSE_ARCHIVE_H
#define MVM_SPARSE_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler/base/diag.h"

/* Writes `archive` (pax, gzip; must not exist) holding the file `source` as `member`, mode 0644, owner 0:0, the given time. Same bytes for
 * same content, whatever the file system. */
bool sparse_archive_write(struct diag *diag, const char *source, const char *member, const char *archive, uint32_t time);

#endif

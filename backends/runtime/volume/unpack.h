/* SPDX-License-Identifier: MIT */
/*
 * unpack: the archive of a volume's image, as imaging/volume/sparse_archive.c writes it: one file,
 * pax with GNU's sparse format 1.0, or plain.
 */
#ifndef MVM_BACKENDS_RUNTIME_VOLUME_UNPACK_H
#define MVM_BACKENDS_RUNTIME_VOLUME_UNPACK_H

#include "backends/runtime/base/runtime.h"

/*
 * Reads the archive, which is not compressed any more, to its end, and writes the file in it to
 * `image`, an empty file, with its holes.
 */
bool archive_unpack(int archive, int image, struct reason *why);

#endif

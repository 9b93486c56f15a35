/* SPDX-License-Identifier: MIT */
/*
 * unpack: unpacks a volume's image from the archive that imaging/volume/sparse_archive.c writes:
 * one file, in pax with GNU's sparse format 1.0 or plain.
 */
#ifndef MVM_BACKENDS_RUNTIME_VOLUME_UNPACK_H
#define MVM_BACKENDS_RUNTIME_VOLUME_UNPACK_H

#include "backends/runtime/base/runtime.h"

/*
 * Reads the archive, which is already decompressed, to its end, and writes its file to `image`, an
 * empty file, with its holes.
 */
bool archive_unpack(int archive, int image, struct reason *why);

#endif

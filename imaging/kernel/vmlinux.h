/* SPDX-License-Identifier: MIT */
/* vmlinux: unpacks the ELF kernel in a bzImage, for hypervisors that cannot boot a bzImage. */
#ifndef MVM_IMAGING_KERNEL_VMLINUX_H
#define MVM_IMAGING_KERNEL_VMLINUX_H

#include <stdbool.h>

#include "base/diag.h"

/*
 * Creates `output` (it must not exist), mode 0444. On failure there is no output; a broken bzImage
 * is STATUS_INPUT.
 */
bool kernel_unpack(struct diag *diag, const char *bzimage, const char *output);

#endif

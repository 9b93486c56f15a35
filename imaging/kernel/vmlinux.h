/* SPDX-License-Identifier: MIT */
/* vmlinux: the ELF kernel inside a bzImage, for hypervisors that boot nothing else. */
#ifndef MVM_IMAGING_KERNEL_VMLINUX_H
#define MVM_IMAGING_KERNEL_VMLINUX_H

#include <stdbool.h>

#include "base/diag.h"

/*
 * Creates `output` (it must not exist), mode 0444. On failure there is none; a broken bzImage is
 * STATUS_INPUT.
 */
bool kernel_unpack(struct diag *diag, const char *bzimage, const char *output);

#endif

/* SPDX-License-Identifier: MIT */
/* verity: opens a disk whose blocks are verified by a hash tree as they are read. */
#ifndef MVM_IMAGING_GUEST_INIT_VERITY_H
#define MVM_IMAGING_GUEST_INIT_VERITY_H

#include "imaging/guest/init/parameters.h"
#include "imaging/guest/init/plan.h"

/*
 * Creates /dev/mapper/NAME for the disk. If the disk is not the one that was built, it reports that
 * and ends the VM.
 */
void verity_open(const struct parameters *parameters, const struct stage1_verity *verity);

#endif

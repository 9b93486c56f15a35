/* SPDX-License-Identifier: MIT */
/* verity: a disk whose blocks are compared with a hash tree as they are read. */
#ifndef MVM_IMAGING_GUEST_INIT_VERITY_H
#define MVM_IMAGING_GUEST_INIT_VERITY_H

#include "imaging/guest/init/parameters.h"
#include "imaging/guest/init/plan.h"

/*
 * Makes /dev/mapper/NAME of the disk. One that is not the disk that was built is told, and ends the
 * VM.
 */
void verity_open(const struct parameters *parameters, const struct stage1_verity *verity);

#endif

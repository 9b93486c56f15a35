/* SPDX-License-Identifier: MIT */
/* size_text: formats sizes for people. */
#ifndef MVM_COMPILER_INSPECT_SIZE_TEXT_H
#define MVM_COMPILER_INSPECT_SIZE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

/* "12.3 MB", in powers of 1000. */
const char *size_text(struct arena *arena, uint64_t bytes);
/* "+12.3 MB", "-4 B", "+0 B". */
const char *size_change_text(struct arena *arena, int64_t bytes);

#endif

/* SPDX-License-Identifier: MIT */
/* positions: where each field of a vm was written, by the field's address. */
#ifndef MVM_BACKENDS_INTERFACE_POSITIONS_H
#define MVM_BACKENDS_INTERFACE_POSITIONS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/diag.h"

struct places;

struct places *places_new(struct arena *arena);
/* The last word wins. */
void places_set(struct places *places, const void *field, const struct pos *pos);
/* NULL when the field was not written. */
const struct pos *places_get(const struct places *places, const void *field);
/* What was written for a field could not be taken, or it is missing. */
void places_refuse(struct places *places, const void *field);
/* Of a field; NULL: of any. */
bool places_refused(const struct places *places, const void *field);

#endif

/* SPDX-License-Identifier: MIT */
/* positions: the source position of each field of a vm, by the field's address. */
#ifndef MVM_BACKENDS_INTERFACE_POSITIONS_H
#define MVM_BACKENDS_INTERFACE_POSITIONS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/diag.h"

struct places;

struct places *places_new(struct arena *arena);
/* Replaces an earlier position. */
void places_set(struct places *places, const void *field, const struct pos *pos);
/* The field counts as having its default. */
void places_forget(struct places *places, const void *field);
/* Returns NULL if the field has its default. */
const struct pos *places_get(const struct places *places, const void *field);
/* Marks a field as refused: its value is invalid, or it is missing. */
void places_refuse(struct places *places, const void *field);
/* Whether `field` was refused; with NULL, whether any field was. */
bool places_refused(const struct places *places, const void *field);
/* Whether a field of the structure with these bytes was refused. */
bool places_refused_within(const struct places *places, const void *begin, size_t bytes);

#endif

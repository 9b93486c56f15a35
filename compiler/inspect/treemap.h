/* SPDX-License-Identifier: MIT */
/* treemap: rectangles whose areas are given. */
#ifndef MVM_COMPILER_INSPECT_TREEMAP_H
#define MVM_COMPILER_INSPECT_TREEMAP_H

#include <stddef.h>

struct rectangle {
	double x, y, width, height;
};

/*
 * Fills `area` with n rectangles of these shares, as near to squares as can be; `weights` are
 * positive and the largest comes first.
 */
void treemap_fill(const double *weights, size_t n, struct rectangle area, struct rectangle *out);

#endif

/* SPDX-License-Identifier: MIT */
/* treemap: divides a rectangle into rectangles of given areas. */
#ifndef MVM_COMPILER_INSPECT_TREEMAP_H
#define MVM_COMPILER_INSPECT_TREEMAP_H

#include <stddef.h>

struct rectangle {
	double x, y, width, height;
};

/*
 * Fills `area` with n rectangles whose areas are proportional to `weights`, as square as possible.
 * Weights are positive and sorted, the largest first.
 */
void treemap_fill(const double *weights, size_t n, struct rectangle area, struct rectangle *out);

#endif

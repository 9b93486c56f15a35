/* SPDX-License-Identifier: MIT */
/*
 * treemap: lays out rows along the shorter side, after Bruls, Huizing and van Wijk, "Squarified
 * Treemaps" (2000).
 */
#include "compiler/inspect/treemap.h"

#include <stdbool.h>

/*
 * Worst aspect ratio in a row of total area `sum` along `side`, given its largest and smallest
 * area.
 */
static double worst_ratio(double largest, double smallest, double sum, double side)
{
	const double flat = side * side * largest / (sum * sum),
		     steep = sum * sum / (side * side * smallest);
	return flat > steep ? flat : steep;
}

/* Returns how many of the next weights make the best row, and their total area in `sum`. */
static size_t row_length(const double *weights, size_t n, double scale, double side, double *sum)
{
	size_t count = 1;
	*sum = weights[0] * scale;
	double worst = worst_ratio(*sum, *sum, *sum, side);
	for (; count < n; count++) {
		const double more = weights[count] * scale;
		const double next = worst_ratio(weights[0] * scale, more, *sum + more, side);
		if (next > worst)
			break;
		*sum += more;
		worst = next;
	}
	return count;
}

/* Places a row at the left or at the top of `area` and returns the remaining area. */
static struct rectangle row_place(const double *weights, size_t n, double scale, double sum,
	struct rectangle area, struct rectangle *out)
{
	const bool at_left = area.width >= area.height;
	const double thickness = sum / (at_left ? area.height : area.width);
	double at = at_left ? area.y : area.x;
	for (size_t i = 0; i < n; i++) {
		const double length = weights[i] * scale / thickness;
		out[i] = at_left ? (struct rectangle){area.x, at, thickness, length}
				 : (struct rectangle){at, area.y, length, thickness};
		at += length;
	}
	if (at_left)
		return (struct rectangle){
			area.x + thickness, area.y, area.width - thickness, area.height};
	return (struct rectangle){area.x, area.y + thickness, area.width, area.height - thickness};
}

void treemap_fill(const double *weights, size_t n, struct rectangle area, struct rectangle *out)
{
	double total = 0;
	for (size_t i = 0; i < n; i++)
		total += weights[i];
	const double scale = total > 0 ? area.width * area.height / total : 0;
	for (size_t i = 0; i < n;) {
		const double side = area.width < area.height ? area.width : area.height;
		double sum;
		/* Rounding errors may leave no room for the last rectangles. */
		if (!(side > 1e-9) || !(weights[i] * scale > 0)) {
			out[i++] = (struct rectangle){area.x, area.y, 0, 0};
			continue;
		}
		const size_t count = row_length(weights + i, n - i, scale, side, &sum);
		area = row_place(weights + i, count, scale, sum, area, out + i);
		i += count;
	}
}

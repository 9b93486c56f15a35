/* SPDX-License-Identifier: MIT */
#include "compiler/inspect/size_text.h"

#include "base/arena.h"

const char *size_text(struct arena *arena, uint64_t bytes)
{
	static const char *const units[] = {"KB", "MB", "GB", "TB", "PB", "EB"};
	if (bytes < 1000)
		return arena_printf(arena, "%u B", (unsigned)bytes);
	double value = (double)bytes / 1e3;
	size_t unit = 0;
	/* %.1f prints 999.95 as 1000.0. */
	for (; value >= 999.95 && unit + 1 < countof(units); unit++)
		value /= 1e3;
	return arena_printf(arena, "%.1f %s", value, units[unit]);
}

const char *size_change_text(struct arena *arena, int64_t bytes)
{
	uint64_t size = bytes < 0 ? -(uint64_t)bytes : (uint64_t)bytes;
	return arena_printf(arena, "%c%s", bytes < 0 ? '-' : '+', size_text(arena, size));
}

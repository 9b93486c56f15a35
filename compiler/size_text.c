/* SPDX-License-Identifier: MIT */
#include "compiler/size_text.h"

#include "compiler/base/buf.h"

const char *size_text(struct arena *arena, uint64_t bytes)
{
	static const char *const units[] = {"KB", "MB", "GB", "TB", "PB", "EB"};
	if (bytes < 1000)
		return arena_printf(arena, "%u B", (unsigned)bytes);
	double value = (double)bytes / 1e3;
	size_t unit = 0;
	/* 999.95 would be printed as 1000.0. */
	for (; value >= 999.95 && unit + 1 < countof(units); unit++)
		value /= 1e3;
	return arena_printf(arena, "%.1f %s", value, units[unit]);
}

const char *size_change_text(struct arena *arena, int64_t bytes)
{
	uint64_t size = bytes < 0 ? -(uint64_t)bytes : (uint64_t)bytes;
	return arena_printf(arena, "%c%s", bytes < 0 ? '-' : '+', size_text(arena, size));
}

const char *printable(struct arena *arena, const char *text)
{
	BUF_CLEANUP struct buf out = {0};
	for (const char *p = text; *p; p++) {
		unsigned char c = (unsigned char)*p;
		/* The bytes of U+0080 to U+009F, control characters too, begin with 0xc2. */
		const bool wide = c == 0xc2 && (unsigned char)p[1] >= 0x80 && (unsigned char)p[1] < 0xa0;
		if (wide)
			buf_printf(&out, "\\x%02x\\x%02x", c, (unsigned char)*++p);
		else if (c < 0x20 || c == 0x7f)
			buf_printf(&out, "\\x%02x", c);
		else
			buf_add(&out, p, 1);
	}
	return arena_strdup(arena, buf_text(&out));
}

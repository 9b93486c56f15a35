/* SPDX-License-Identifier: MIT */
#include "compiler/microvm/host.h"

#include <stdarg.h>
#include <stdio.h>

const char *host_coloured(const struct host *host, enum colour colour, const char *text)
{
	static const char *const codes[] = {
		[COLOUR_GOOD] = "0;32",
		[COLOUR_BAD] = "0;31",
		[COLOUR_COMMAND] = "1;36",
		[COLOUR_RUNNING] = "1;32",
		[COLOUR_BOOTED] = "1;33",
		[COLOUR_STOPPED] = "1;31",
	};
	return host->colours ? arena_printf(host->arena, "\033[%sm%s\033[0m", codes[colour], text)
			     : text;
}

void host_say(const struct host *host, const char *format, ...)
{
	va_list arguments;
	if (host->settings.quiet)
		return;
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
}

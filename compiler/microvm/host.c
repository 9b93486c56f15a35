/* SPDX-License-Identifier: MIT */
#include "compiler/microvm/host.h"

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

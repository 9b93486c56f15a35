/* SPDX-License-Identifier: MIT */
#include "base/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool terminal_can_rewrite(int fd)
{
	const char *kind = getenv("TERM");
	return isatty(fd) && kind && *kind && strcmp(kind, "dumb") != 0;
}

bool terminal_has_colours(int fd)
{
	const char *never = getenv("NO_COLOR"), *always = getenv("CLICOLOR_FORCE");
	if (never && *never)
		return false;
	return (always && *always && strcmp(always, "0") != 0) || terminal_can_rewrite(fd);
}

unsigned terminal_width(int fd)
{
	struct winsize size;
	return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
}

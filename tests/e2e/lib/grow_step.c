/* SPDX-License-Identifier: MIT */
/*
 * grow_step DIRECTORY runs only stage 1's step that enlarges a mounted file system to the size of
 * its disk. Compiled with imaging/guest/init/grow.c and file.c.
 */
#include <stddef.h>

#include "imaging/guest/init/grow.h"
#include "imaging/guest/init/message.h"

void message(const char *format, ...)
{
	(void)format;
}

void debug(const struct parameters *parameters, const char *format, ...)
{
	(void)parameters;
	(void)format;
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	grow_make(NULL, argv[1]);
	return 0;
}

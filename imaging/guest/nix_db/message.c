/* SPDX-License-Identifier: MIT */
#include "imaging/guest/nix_db/message.h"

#include <stdarg.h>
#include <stdio.h>

static void print(const char *format, va_list arguments)
{
	fputs("mvm-nix-db: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
}

void report(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	print(format, arguments);
	va_end(arguments);
}

bool fail(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	print(format, arguments);
	va_end(arguments);
	return false;
}

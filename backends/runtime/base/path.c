/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/runtime/base/runtime.h"

char *text(const char *format, ...)
{
	char *out;
	va_list arguments;
	va_start(arguments, format);
	int n = vasprintf(&out, format, arguments);
	va_end(arguments);
	return memory(n < 0 ? NULL : out);
}

void *memory(void *p)
{
	if (p)
		return p;
	complain("out of memory");
	exit(STATUS_FAILED);
}

char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? text("%.*s", (int)(slash - path) + 1, path) : text("./");
}

/* SPDX-License-Identifier: MIT */
/*
 * SQLite loads extensions by dlopen. A static program has none to load, and the linker warns of the
 * call: the Makefile wraps it.
 */
#include <stddef.h>

void *__wrap_dlopen(const char *file, int mode);

void *__wrap_dlopen(const char *file, int mode)
{
	(void)file;
	(void)mode;
	return NULL;
}

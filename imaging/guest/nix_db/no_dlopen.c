/* SPDX-License-Identifier: MIT */
/*
 * SQLite loads extensions by dlopen, of which the linker warns in a static program. This program
 * loads none, so the Makefile wraps the call.
 */
#include <stddef.h>

void *__wrap_dlopen(const char *file, int mode);

void *__wrap_dlopen(const char *file, int mode)
{
	(void)file;
	(void)mode;
	return NULL;
}

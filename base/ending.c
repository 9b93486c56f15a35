/* SPDX-License-Identifier: MIT */
#include "base/ending.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/diag.h"

enum { MESSAGE_BYTES = 8192 }; /* enough for two paths and some words */

static void (*last_action)(void);

void ending_do_last(void (*action)(void))
{
	last_action = action;
}

/* Uses no stdio: another thread may hold its lock, and its buffer needs memory. */
static _Noreturn void end(const char *reason)
{
	const char *const parts[] = {program_invocation_short_name, ": error: ", reason, "\n"};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (write(STDERR_FILENO, parts[i], strlen(parts[i])) < 0)
			break;
	if (last_action)
		last_action();
	_exit(STATUS_FAILED);
}

void ending_out_of_memory(void)
{
	end("out of memory");
}

void ending_fatal(const char *format, ...)
{
	char text[MESSAGE_BYTES];
	va_list arguments;
	va_start(arguments, format);
	if (vsnprintf(text, sizeof text, format, arguments) < 0)
		text[0] = '\0';
	va_end(arguments);
	end(text);
}

void ending_unless_absent(const char *path, int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
	case EACCES:
	case EPERM:
	case ELOOP:
	case ENAMETOOLONG:
	case EINVAL:
	case ENXIO: /* a socket, or a FIFO that nobody reads */
	case ENODEV:
	case EROFS:
		return;
	default:
		ending_fatal("cannot examine %s: %s", path, strerror(error));
	}
}

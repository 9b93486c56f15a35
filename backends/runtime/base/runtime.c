/* SPDX-License-Identifier: MIT */
#include "backends/runtime/base/runtime.h"

#include <errno.h>
#include <limits.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

void complain(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fputs("mvm-host: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
}

int64_t clock_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int deadline_left(int64_t deadline)
{
	int64_t left = deadline - clock_ms();
	if (left <= 0)
		return 0;
	return left > INT_MAX ? INT_MAX : (int)left;
}

void sleep_ms(int ms)
{
	struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

bool reason_set(struct reason *reason, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(reason->text, sizeof reason->text, format, arguments);
	va_end(arguments);
	return false;
}

/* A relative path is below the state directory. */
int no_vm(const char *script, const char *socket)
{
	if (*socket == '/') {
		complain("no VM is running here: nothing listens on %s", socket);
		return STATUS_FAILED;
	}
	char *directory = getcwd(NULL, 0);
	complain("no VM is running here: nothing listens on %s/%s; for a VM in another state "
		 "directory, run: %s DIRECTORY",
		directory ? directory : ".", socket, script);
	free(directory);
	return STATUS_FAILED;
}

bool balloon_sizes_parse(
	const char *memory, const char *balloon, uint64_t *memory_mib, uint64_t *balloon_mib)
{
	if (!number_parse(memory, 1, MEMORY_MAX_MIB, memory_mib)) {
		complain("balloon: MEM_MIB must be a number from 1 to %" PRIu64 ", not '%s'",
			MEMORY_MAX_MIB, memory);
		return false;
	}
	if (!number_parse(balloon, 0, *memory_mib - 1, balloon_mib)) {
		complain("balloon: BALLOON_MIB must be a number from 0 to %" PRIu64
			 " (the memory minus 1), not '%s'",
			*memory_mib - 1, balloon);
		return false;
	}
	return true;
}

/* SPDX-License-Identifier: MIT */
/*
 * allocation: running out of memory ends the program, inside libraries too. Not all libraries check
 * for it (json-c drops a string that it cannot allocate, libarchive writes a header without a
 * path), so their results cannot be trusted after a failed allocation. A program may replace these
 * functions for everything that it is linked with ("Replacing malloc" in the manual of glibc).
 *
 * A request for a gigabyte or more comes from a number in an input file: it is left to fail, and
 * the caller reports which file that is.
 */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/ending.h"

/* The sanitizers and the fuzzer bring their own allocator. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OTHERS_ALLOCATE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define OTHERS_ALLOCATE 1
#endif
#endif

#ifndef OTHERS_ALLOCATE

enum {
	HUGE_BYTES = 1 << 30,
	RESERVE_BYTES = 256 * 1024, /* freed for the cleanup of half-written files */
};

typedef void *malloc_function(size_t);
typedef void *calloc_function(size_t, size_t);
typedef void *realloc_function(void *, size_t);

static malloc_function *_Atomic next_malloc;
static calloc_function *_Atomic next_calloc;
static realloc_function *_Atomic next_realloc;
static _Atomic(void *) reserve;
static _Thread_local bool is_ending;

__attribute__((constructor)) static void reserve_make(void)
{
	reserve = malloc(RESERVE_BYTES);
}

/*
 * Looks all three up at the first call of any of them. The loader makes that call, long before
 * there is a second thread.
 */
static void find_next(void)
{
	void *const found[] = {dlsym(RTLD_NEXT, "calloc"), dlsym(RTLD_NEXT, "realloc"),
		dlsym(RTLD_NEXT, "malloc")};
	calloc_function *c;
	realloc_function *r;
	malloc_function *m;
	memcpy(&c, &found[0], sizeof c);
	memcpy(&r, &found[1], sizeof r);
	memcpy(&m, &found[2], sizeof m);
	next_calloc = c;
	next_realloc = r;
	next_malloc = m;
}

static void *checked(void *p, size_t bytes)
{
	if (p || bytes == 0 || bytes >= HUGE_BYTES || is_ending)
		return p;
	is_ending = true; /* the cleanup may run out of memory too */
	free(atomic_exchange(&reserve, NULL));
	ending_out_of_memory();
}

void *malloc(size_t bytes)
{
	if (!next_malloc)
		find_next();
	return checked(next_malloc(bytes), bytes);
}

void *calloc(size_t count, size_t bytes)
{
	if (!next_malloc)
		find_next();
	size_t all;
	return checked(next_calloc(count, bytes),
		__builtin_mul_overflow(count, bytes, &all) ? SIZE_MAX : all);
}

void *realloc(void *p, size_t bytes)
{
	if (!next_malloc)
		find_next();
	return checked(next_realloc(p, bytes), bytes);
}

#endif

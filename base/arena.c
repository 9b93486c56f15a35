/* SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ending.h"

enum { CHUNK_BYTES = 64 * 1024, ALIGNMENT = 16 };

struct chunk {
	struct chunk *next;
	size_t used, size;
	_Alignas(ALIGNMENT) unsigned char data[];
};

struct arena {
	struct chunk *chunks; /* the first one is being filled */
};

void *require_memory(void *p)
{
	if (!p)
		ending_out_of_memory();
	return p;
}

struct arena *arena_new(void)
{
	return require_memory(calloc(1, sizeof(struct arena)));
}

void arena_free(struct arena *arena)
{
	if (!arena)
		return;
	for (struct chunk *chunk = arena->chunks, *next; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	free(arena);
}

static struct chunk *chunk_new(size_t size)
{
	if (size > SIZE_MAX - sizeof(struct chunk))
		ending_out_of_memory();
	struct chunk *chunk = require_memory(calloc(1, sizeof *chunk + size));
	chunk->size = size;
	return chunk;
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
	if (bytes > SIZE_MAX - ALIGNMENT)
		ending_out_of_memory();
	size_t rounded = (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	struct chunk *chunk = arena->chunks;
	if (!chunk || chunk->size - chunk->used < rounded) {
		chunk = chunk_new(rounded > CHUNK_BYTES ? rounded : CHUNK_BYTES);
		chunk->next = arena->chunks;
		arena->chunks = chunk;
	}
	void *start = chunk->data + chunk->used;
	chunk->used += rounded;
	return start;
}

char *arena_strndup(struct arena *arena, const char *text, size_t length)
{
	char *copy = arena_alloc(arena, length + 1);
	memcpy(copy, text, length);
	return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
	return arena_strndup(arena, text, strlen(text));
}

char *arena_hex(struct arena *arena, const void *bytes, size_t count)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *from = bytes;
	char *text = arena_alloc(arena, 2 * count + 1);
	for (size_t i = 0; i < count; i++) {
		text[2 * i] = digits[from[i] >> 4];
		text[2 * i + 1] = digits[from[i] & 15];
	}
	return text;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list arguments, again;
	char first[256]; /* most texts fit */
	va_start(arguments, format);
	va_copy(again, arguments);
	int length = vsnprintf(first, sizeof first, format, arguments);
	va_end(arguments);
	if (length < 0)
		ending_out_of_memory();
	char *text = arena_alloc(arena, (size_t)length + 1);
	if ((size_t)length < sizeof first)
		memcpy(text, first, (size_t)length + 1);
	else
		vsnprintf(text, (size_t)length + 1, format, again);
	va_end(again);
	return text;
}

void *arena_grow(struct arena *arena, const void *old, size_t *capacity, size_t item, size_t used)
{
	size_t larger = *capacity ? *capacity * 2 : 8;
	if (larger < *capacity || larger > SIZE_MAX / item)
		ending_out_of_memory();
	void *grown = arena_alloc(arena, larger * item);
	if (used)
		memcpy(grown, old, used * item);
	*capacity = larger;
	return grown;
}

void strings_add(struct arena *arena, struct strings *strings, const char *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		vec_push(arena, strings, v[i]);
}

int strings_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

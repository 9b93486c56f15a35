/* SPDX-License-Identifier: MIT */
/*
 * table: finds numbers, as a rule indices into a vector, by 64-bit hashes, in constant time. Open
 * addressing; what a number stands for is compared by the caller, who may keep several under one
 * hash:
 *
 *     struct table_search search = table_search(hash);
 *     for (size_t i; table_next(&table, &search, &i);)
 *             if (is_wanted(i))
 *                     return i;
 */
#ifndef MVM_BASE_TABLE_H
#define MVM_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

struct table_slot {
	uint64_t hash;
	size_t above; /* the number + 1; 0: free */
};

/* Start with `struct table table = {0};`. */
struct table {
	struct table_slot *slots;
	size_t size, used; /* size is a power of two, at most half of it used */
};

struct table_search {
	uint64_t hash, at;
};

struct table_search table_search(uint64_t hash);
/* The next number under the hash, in the order of their addition; false: there are no more. */
bool table_next(const struct table *table, struct table_search *search, size_t *number);

/* `arena` owns the table's memory; with NULL, table_free returns it. */
void table_add(struct arena *arena, struct table *table, uint64_t hash, size_t number);
/* Puts `to` in the place of `from`, which is under this hash. */
void table_replace(struct table *table, uint64_t hash, size_t from, size_t to);
/* Removes all numbers and keeps the memory. */
void table_clear(struct table *table);
void table_free(struct table *table);

#endif

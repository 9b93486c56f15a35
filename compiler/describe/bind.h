/* SPDX-License-Identifier: MIT */
/* bind: from the tree of a description to the typed `struct vm`, by the option table. */
#ifndef MVM_COMPILER_DESCRIBE_BIND_H
#define MVM_COMPILER_DESCRIBE_BIND_H

#include <stdbool.h>

#include "backends/interface/vm.h"
#include "compiler/describe/doc.h"

/*
 * Fills a vm with the defaults and the description. Every mistake is reported (STATUS_DESCRIPTION);
 * false when there was one: the vm can then be checked further, but for the fields that vm_refused
 * tells.
 */
bool vm_bind(struct arena *arena, struct diag *diag, const struct node *description, struct vm *vm);

struct option;
/* The same for any table and its struct, which is zeroed. */
bool options_bind(struct arena *arena, struct diag *diag, struct places *places,
	const struct option *table, const struct node *description, void *base);

/*
 * Reads a size as a description has it ("64", "2G", "512MiB") into MiB; NULL, or what is wrong with
 * it.
 */
const char *mib_parse(const char *text, uint64_t *mib);

#endif

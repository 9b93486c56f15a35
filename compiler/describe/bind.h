/* SPDX-License-Identifier: MIT */
/*
 * bind: converts the tree of a description to the typed `struct vm`, according to the option table.
 */
#ifndef MVM_COMPILER_DESCRIBE_BIND_H
#define MVM_COMPILER_DESCRIBE_BIND_H

#include <stdbool.h>

#include "backends/interface/vm.h"
#include "compiler/describe/doc.h"

/*
 * Fills a vm with the defaults and the description. All errors are reported (STATUS_DESCRIPTION).
 * Returns false if there were any; the vm can then still be checked, except for the fields for
 * which vm_refused is true.
 */
bool vm_bind(struct arena *arena, struct diag *diag, const struct node *description, struct vm *vm);
/* As vm_bind, for a description whose toplevel may be missing. */
bool vm_bind_without_system(
	struct arena *arena, struct diag *diag, const struct node *description, struct vm *vm);

struct option;
/* Like vm_bind, for any table and its struct, which must be zeroed. */
bool options_bind(struct arena *arena, struct diag *diag, struct places *places,
	const struct option *table, const struct node *description, void *base);

/*
 * Parses a size of a description ("64", "2G", "512MiB") as MiB. Returns NULL, or an error message.
 */
const char *mib_parse(const char *text, uint64_t *mib);

#endif

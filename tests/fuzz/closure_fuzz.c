/* SPDX-License-Identifier: MIT */
/*
 * Reads arbitrary bytes as a list of store paths: as JSON if they start with a brace, else as
 * lines.
 */
#include <stdint.h>
#include <string.h>

#include "compiler/closure/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct diag *diag = diag_new(arena);
	struct closure_table *table = closure_table_new(arena, diag, "/nix/store");
	const struct bytes text = {arena_strndup(arena, (const char *)data, size), size};
	table->source = "closure";
	if (size && (text.p[0] == '{' || text.p[0] == '['))
		closure_json_load(table, "closure", &text);
	else
		closure_text_load(table, "closure", &text);
	closure_errors_end(table);
	arena_free(arena);
	return 0;
}

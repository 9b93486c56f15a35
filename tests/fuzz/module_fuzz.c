/* SPDX-License-Identifier: MIT */
/* Reads arbitrary bytes as a kernel module. */
#include "imaging/modules/tree.h"
#include "tests/fuzz/memory_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	int fd = memory_file(data, size);
	struct module module = {.name = "x",
		.path = arena_printf(arena, "/proc/self/fd/%d", fd),
		.inside = "/x.ko",
		.file = "x.ko"};
	if ((module_read(arena, &module) == NULL) != module.is_read)
		abort();
	close(fd);
	arena_free(arena);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* Reads arbitrary bytes as a kernel: its format, its configuration and its compressed payload. */
#include <stdio.h>

#include "base/arena.h"
#include "imaging/kernel/kernel.h"
#include "imaging/kernel/config.h"
#include "imaging/kernel/vmlinux.h"
#include "tests/fuzz/memory_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct diag *diag = diag_new(arena);
	int fd = memory_file(data, size);
	const char *path = arena_printf(arena, "/proc/self/fd/%d", fd),
		   *output = arena_printf(arena, "/dev/shm/mvm-kernel-fuzz-%ld", (long)getpid());
	struct kernel kernel;
	if (kernel_inspect(arena, diag, path, NULL, &kernel)) {
		struct kernel_config config = kernel_config_find(arena, &kernel, NULL);
		if (config.text)
			kernel_config_option(&config, "DM_VERITY");
	}
	if (kernel_unpack(diag, path, output) != (access(output, F_OK) == 0))
		abort();
	unlink(output);
	close(fd);
	arena_free(arena);
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "imaging/kernel/config.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "base/arena.h"
#include "base/file.h"
#include "imaging/kernel/unpack.h"

enum { CONFIG_BYTES = 4 << 20 }; /* a complete one has about 300 KB */

/* In kernel/configs.c these enclose a gzip of the .config. */
#define EMBEDDED_BEGIN "IKCFG_ST"
#define EMBEDDED_END "IKCFG_ED"
/* Kconfig writes it near the start of every .config. */
#define HEADING " Kernel Configuration\n"

static const char *config_text(struct arena *arena, const char *path)
{
	struct diag *quiet = diag_new(arena); /* unreadable files are skipped */
	struct bytes text;
	return path_exists(path) && !path_is_directory(path) &&
			file_read(arena, quiet, path, CONFIG_BYTES, &text) &&
			strstr(text.p, HEADING)
		? text.p
		: NULL;
}

/* Unpacks a .config from a gzip in memory; NULL if it is not one. */
static const char *unpack_text(struct arena *arena, const void *packed, size_t bytes)
{
	struct archive *archive = require_memory(archive_read_new());
	struct archive_entry *entry;
	char *text = arena_alloc(arena, CONFIG_BYTES + 1);
	archive_read_support_filter_gzip(archive);
	archive_read_support_format_raw(archive);
	bool ok = archive_read_open_memory(archive, packed, bytes) == ARCHIVE_OK &&
		archive_read_next_header(archive, &entry) == ARCHIVE_OK &&
		archive_read_data(archive, text, CONFIG_BYTES) > 0;
	archive_read_free(archive);
	return ok && strstr(text, HEADING) ? text : NULL;
}

static const char *embedded_text(struct arena *arena, const struct kernel *kernel)
{
	uint64_t size;
	const char *why, *text = NULL;
	FD_CLEANUP int fd = kernel->format == KERNEL_BZIMAGE
		? -1
		: unpack_open(arena, kernel->path, &size, &why);
	if (fd < 0 || size == 0)
		return NULL;
	const char *image = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (image == MAP_FAILED)
		return NULL;
	const char *begin =
		memmem(image, size, EMBEDDED_BEGIN "\x1f\x8b", strlen(EMBEDDED_BEGIN) + 2);
	const char *end = begin
		? memmem(begin, (size_t)(image + size - begin), EMBEDDED_END, strlen(EMBEDDED_END))
		: NULL;
	if (end)
		text = unpack_text(arena, begin + strlen(EMBEDDED_BEGIN),
			(size_t)(end - begin) - strlen(EMBEDDED_BEGIN));
	munmap((void *)(uintptr_t)image, size);
	return text;
}

struct kernel_config kernel_config_find(
	struct arena *arena, const struct kernel *kernel, const char *modules)
{
	const char *beside = path_parent(arena, kernel->path),
		   *version = kernel->version ? kernel->version : "";
	const struct {
		const char *directory, *file;
	} places[] = {
		{beside, arena_printf(arena, "config-%s", version)},
		{modules, arena_printf(arena, "boot/config-%s", version)},
		{modules, arena_printf(arena, "lib/modules/%s/config", version)},
		{beside, "config"},
	};
	for (size_t i = 0; i < countof(places); i++) {
		const char *path = places[i].directory
			? path_join(arena, places[i].directory, places[i].file)
			: NULL;
		const char *text = path ? config_text(arena, path) : NULL;
		if (text)
			return (struct kernel_config){path, text};
	}
	const char *text = embedded_text(arena, kernel);
	return (struct kernel_config){text ? kernel->path : NULL, text};
}

enum kernel_option kernel_config_option(const struct kernel_config *config, const char *name)
{
	size_t length = strlen(name);
	for (const char *line = config->text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, "CONFIG_", 7) != 0 || strncmp(line + 7, name, length) != 0 ||
			line[7 + length] != '=')
			continue;
		char value = line[8 + length];
		return value == 'y'    ? OPTION_BUILT_IN
			: value == 'm' ? OPTION_MODULE
				       : OPTION_ABSENT;
	}
	return OPTION_ABSENT;
}

/* SPDX-License-Identifier: MIT */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "base/ending.h"
#include "base/file.h"
#include "imaging/kernel/unpack.h"
#include "imaging/modules/tree.h"

const char *module_name_normalize(struct arena *arena, const char *name, size_t length)
{
	char *copy = arena_strndup(arena, name, length);
	bool in_brackets = false;
	for (char *c = copy; *c; c++) {
		if (*c == '[' || *c == ']')
			in_brackets = *c == '[';
		else if (*c == '-' && !in_brackets)
			*c = '_';
	}
	return copy;
}

static void add_words(
	struct arena *arena, struct strings *out, const char *text, const char *separators)
{
	for (;;) {
		text += strspn(text, separators);
		size_t length = strcspn(text, separators);
		if (length == 0)
			return;
		vec_push(arena, out, arena_strndup(arena, text, length));
		text += length;
	}
}

/* "pre: a b post: c"; words before the first label are ignored, as modprobe does. */
static void add_softdep(struct arena *arena, struct module *module, const char *text)
{
	struct strings words = {0}, ignored = {0};
	add_words(arena, &words, text, " \t");
	struct strings *list = &ignored;
	for (size_t i = 0; i < words.n; i++) {
		if (strcmp(words.v[i], "pre:") == 0)
			list = &module->soft_before;
		else if (strcmp(words.v[i], "post:") == 0)
			list = &module->soft_after;
		else
			vec_push(arena, list, words.v[i]);
	}
}

static void add_information(
	struct arena *arena, struct module *module, const char *key, const char *value)
{
	if (strcmp(key, "depends") == 0)
		add_words(arena, &module->depends, value, ",");
	else if (strcmp(key, "softdep") == 0)
		add_softdep(arena, module, value);
	else if (strcmp(key, "alias") == 0)
		vec_push(arena, &module->aliases,
			module_name_normalize(arena, value, strlen(value)));
	else if (strcmp(key, "vermagic") == 0)
		module->kernel = arena_strndup(arena, value, strcspn(value, " "));
}

/* ---- the ELF file ---- */

/*
 * An ELF file as the kernel accepts it (kernel/module/main.c:elf_validity_check): sections have
 * names, and all tables are inside the file.
 */
struct elf {
	const char *path;
	int fd;
	uint64_t size;
	size_t nsections;
	const Elf64_Shdr *sections;
	const char *names; /* ends with a 0 byte */
	size_t names_bytes;
};

static const char no_module[] = "it is not a kernel module";
static const char broken[] = "it is a damaged kernel module: its sections are outside the file";

/*
 * Reads a range of the file and appends a 0 byte; NULL if it is outside the file. A read error ends
 * the program, because a search must not skip the module.
 */
static const void *range_read(
	struct arena *arena, const struct elf *elf, uint64_t offset, uint64_t count)
{
	if (offset > elf->size || count > elf->size - offset)
		return NULL;
	char *bytes = arena_alloc(arena, count + 1);
	if (!fd_read_all(elf->fd, bytes, count, (off_t)offset))
		ending_fatal("cannot read the kernel module %s: %s", elf->path, strerror(errno));
	return bytes;
}

/* Returns NULL, or the defect. */
static const char *elf_open(struct arena *arena, struct elf *elf)
{
	Elf64_Ehdr header;
	const void *first = range_read(arena, elf, 0, sizeof header);
	if (!first)
		return no_module;
	memcpy(&header, first, sizeof header);
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
		header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
		header.e_type != ET_REL)
		return no_module;
	if (header.e_shentsize != sizeof(Elf64_Shdr) || header.e_shstrndx == SHN_UNDEF ||
		header.e_shstrndx >= header.e_shnum)
		return broken;
	elf->nsections = header.e_shnum;
	elf->sections = range_read(
		arena, elf, header.e_shoff, (uint64_t)header.e_shnum * sizeof(Elf64_Shdr));
	if (!elf->sections)
		return broken;
	const Elf64_Shdr *names = &elf->sections[header.e_shstrndx];
	elf->names_bytes = names->sh_size;
	elf->names = range_read(arena, elf, names->sh_offset, names->sh_size);
	return elf->names ? NULL : broken;
}

/* NULL if it is missing. */
static const Elf64_Shdr *section_find(const struct elf *elf, const char *name)
{
	for (size_t i = 1; i < elf->nsections; i++) {
		const Elf64_Shdr *section = &elf->sections[i];
		if (section->sh_name < elf->names_bytes &&
			strcmp(elf->names + section->sh_name, name) == 0)
			return section->sh_type == SHT_NOBITS ? NULL : section;
	}
	return NULL;
}

/*
 * Reads the .modinfo section of the uncompressed module file `fd`: "KEY=VALUE" items, each followed
 * by 0 bytes. Tables are allocated in `scratch`.
 */
static const char *information_read(
	struct arena *arena, struct arena *scratch, struct module *module, int fd, uint64_t size)
{
	struct elf elf = {.path = module->path, .fd = fd, .size = size};
	const char *why = elf_open(scratch, &elf);
	const Elf64_Shdr *section = why ? NULL : section_find(&elf, ".modinfo");
	if (!section)
		return why ? why : no_module;
	const char *text = range_read(scratch, &elf, section->sh_offset, section->sh_size);
	if (!text)
		return broken;
	for (const char *item = text; item < text + section->sh_size; item += strlen(item) + 1) {
		const char *value = strchr(item, '=');
		if (value)
			add_information(arena, module,
				arena_strndup(scratch, item, (size_t)(value - item)), value + 1);
	}
	return NULL;
}

const char *module_read(struct arena *arena, struct module *module)
{
	if (module->is_read)
		return NULL;
	uint64_t size;
	const char *why;
	FD_CLEANUP int fd = unpack_open(arena, module->path, &size, &why);
	if (fd < 0)
		return why;
	module->kernel = "";
	struct arena *scratch = arena_new(); /* a search may read some thousand modules */
	why = information_read(arena, scratch, module, fd, size);
	arena_free(scratch);
	module->is_read = !why;
	return why;
}

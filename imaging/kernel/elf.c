/* SPDX-License-Identifier: MIT */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "imaging/kernel/file.h"

enum { NOTES_LIMIT_BYTES = 1 << 20 };

static size_t align_up(size_t value, size_t alignment)
{
	return (value + alignment - 1) & ~(alignment - 1);
}

/*
 * Whether these ELF notes contain Xen's PHYS32_ENTRY, the entry point of the PVH boot protocol
 * (xen/include/public/elfnote.h).
 */
static bool notes_have_pvh(const unsigned char *notes, size_t size, size_t alignment)
{
	enum { XEN_ELFNOTE_PHYS32_ENTRY = 18 };
	size_t at = 0;
	while (size - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr note;
		memcpy(&note, notes + at, sizeof note);
		at += sizeof note;
		if (note.n_namesz > size - at)
			return false;
		if (note.n_type == XEN_ELFNOTE_PHYS32_ENTRY && note.n_namesz == 4 &&
			memcmp(notes + at, "Xen", 4) == 0)
			return true;
		size_t skip =
			align_up(note.n_namesz, alignment) + align_up(note.n_descsz, alignment);
		if (skip > size - at)
			return false;
		at += skip;
	}
	return false;
}

static bool segment_has_pvh(const struct kernel_file *file, const Elf64_Phdr *segment)
{
	if (segment->p_filesz > NOTES_LIMIT_BYTES || segment->p_offset > file->size ||
		segment->p_filesz > file->size - segment->p_offset)
		return false;
	unsigned char *notes = require_memory(malloc(segment->p_filesz + 1));
	bool found = fd_read_all(file->fd, notes, segment->p_filesz, (off_t)segment->p_offset) &&
		notes_have_pvh(notes, segment->p_filesz, segment->p_align == 8 ? 8 : 4);
	free(notes);
	return found;
}

/* Reads program header `index`; false if it is outside the file. */
static bool segment_read(
	const struct kernel_file *file, const Elf64_Ehdr *header, unsigned index, Elf64_Phdr *out)
{
	uint64_t offset = (uint64_t)index * sizeof *out;
	if (header->e_phoff > file->size || offset > file->size - header->e_phoff)
		return false;
	return fd_read_all(file->fd, out, sizeof *out, (off_t)(header->e_phoff + offset));
}

static const char *elf_kind(uint16_t type)
{
	switch (type) {
	case ET_REL:
		return "an ELF object file (a kernel module?)";
	case ET_DYN:
		return "an ELF shared object";
	case ET_CORE:
		return "a core dump";
	default:
		return "an ELF program";
	}
}

/* Only x86 puts physical addresses into its program headers. */
static void segment_count(const Elf64_Ehdr *header, const Elf64_Phdr *segment, struct kernel *out)
{
	const uint64_t most = UINT64_C(1) << 40;
	if (segment->p_type != PT_LOAD || header->e_machine != EM_X86_64 ||
		segment->p_paddr > most || segment->p_memsz > most)
		return;
	if (segment->p_paddr + segment->p_memsz > out->end)
		out->end = segment->p_paddr + segment->p_memsz;
}

const char *kernel_elf_inspect(const struct kernel_file *file, struct kernel *out)
{
	Elf64_Ehdr header;
	if (file->head_size < sizeof header)
		return "a truncated ELF file";
	memcpy(&header, file->head, sizeof header);
	if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB)
		return "an ELF file of another machine (not 64 bits, little endian)";
	if (header.e_machine != EM_X86_64 && header.e_machine != EM_AARCH64)
		return "an ELF file of another machine (neither x86_64 nor aarch64)";
	/* A kernel is linked as ET_EXEC, on arm64 also as ET_DYN. */
	if ((header.e_type != ET_EXEC && header.e_type != ET_DYN) ||
		header.e_phentsize != sizeof(Elf64_Phdr))
		return elf_kind(header.e_type);
	for (unsigned i = 0; i < header.e_phnum; i++) {
		Elf64_Phdr segment;
		if (!segment_read(file, &header, i, &segment))
			return "a truncated ELF file";
		if (segment.p_filesz &&
			(segment.p_offset > file->size ||
				segment.p_filesz > file->size - segment.p_offset))
			return "a truncated ELF file";
		if (segment.p_type == PT_INTERP)
			return elf_kind(header.e_type);
		segment_count(&header, &segment, out);
		if (segment.p_type == PT_NOTE && segment_has_pvh(file, &segment))
			out->pvh = true;
	}
	out->format = KERNEL_ELF;
	out->arch = header.e_machine == EM_X86_64 ? KERNEL_X86_64 : KERNEL_AARCH64;
	const char *wrong = kernel_file_version(file, &out->version);
	if (wrong)
		return wrong;
	return out->version || out->pvh ? NULL : elf_kind(header.e_type);
}

/* SPDX-License-Identifier: MIT */
#include "imaging/kernel.h"

#include <archive.h>
#include <archive_entry.h>
#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compiler/base/arena.h"
#include "compiler/base/buf.h"
#include "compiler/base/file.h"

enum {
	HEAD_BYTES = 4096,            /* enough for every header but a bzImage's version string */
	SCAN_BLOCK_BYTES = 256 * 1024,
	SCAN_LIMIT_BYTES = 512 << 20, /* no kernel is larger; stops a decompression bomb */
	NOTES_LIMIT_BYTES = 1 << 20,
	VERSION_LIMIT = 128,          /* of the kernel itself: __NEW_UTS_LEN is 64 */
};

/* A file being looked at. */
struct candidate {
	struct arena *arena;
	const char *path;
	int fd;
	uint64_t size;
	size_t head_size; /* bytes of `head` that the file has */
	unsigned char head[HEAD_BYTES];
};

static uint16_t le16(const unsigned char *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static bool head_has(const struct candidate *file, size_t offset, const char *magic, size_t length)
{
	return offset + length <= file->head_size && memcmp(file->head + offset, magic, length) == 0;
}

/* The word that a version string starts with: "6.1.0 (debian…) #1 SMP" is "6.1.0". NULL when that is no version. */
static const char *version_word(struct arena *arena, const char *text, size_t length)
{
	size_t n = 0;
	while (n < length && n < VERSION_LIMIT && isgraph((unsigned char)text[n]))
		n++;
	if (n == 0 || n == VERSION_LIMIT || n == length || !isdigit((unsigned char)text[0]))
		return NULL;
	return arena_strndup(arena, text, n);
}

/* linux_banner in its read-only data: "Linux version 6.1.0-56-amd64 (builder@host) …". */
static const char *banner_version(struct arena *arena, const char *block, size_t length)
{
	static const char banner[] = "Linux version ";
	const size_t banner_length = sizeof banner - 1;
	const char *end = block + length;
	for (const char *p = block; (p = memmem(p, (size_t)(end - p), banner, banner_length)); p++) {
		const char *version = version_word(arena, p + banner_length, (size_t)(end - p) - banner_length);
		if (version)
			return version;
	}
	return NULL;
}

static struct archive *plain_open(const struct candidate *file)
{
	struct archive *archive = archive_read_new();
	if (!archive)
		abort();
	archive_read_support_filter_gzip(archive);
	archive_read_support_format_raw(archive);
	struct archive_entry *entry;
	if (lseek(file->fd, 0, SEEK_SET) == 0 && archive_read_open_fd(archive, file->fd, SCAN_BLOCK_BYTES) == ARCHIVE_OK &&
	    archive_read_next_header(archive, &entry) == ARCHIVE_OK)
		return archive;
	archive_read_free(archive);
	return NULL;
}

/* Looks for the banner in the whole file, unpacked where it is compressed. NULL when there is none. */
static const char *scan_for_version(const struct candidate *file)
{
	struct archive *archive = plain_open(file);
	if (!archive)
		return NULL;
	enum { OVERLAP = 14 + VERSION_LIMIT };
	char *window = malloc(OVERLAP + SCAN_BLOCK_BYTES);
	if (!window)
		abort();
	const char *version = NULL;
	size_t kept = 0;
	uint64_t seen = 0;
	while (!version && seen < SCAN_LIMIT_BYTES) {
		la_ssize_t got = archive_read_data(archive, window + kept, SCAN_BLOCK_BYTES);
		if (got <= 0)
			break;
		seen += (uint64_t)got;
		size_t filled = kept + (size_t)got;
		version = banner_version(file->arena, window, filled);
		kept = filled < OVERLAP ? filled : OVERLAP;
		memmove(window, window + filled - kept, kept);
	}
	free(window);
	archive_read_free(archive);
	return version;
}

/* ---- x86 bzImage: Documentation/arch/x86/boot.rst in the kernel's source ---- */

enum {
	SETUP_BOOT_FLAG = 0x1fe,
	SETUP_MAGIC = 0x202,
	SETUP_PROTOCOL = 0x206,
	SETUP_KERNEL_VERSION = 0x20e, /* offset of the version string, less 0x200 */
	SETUP_XLOADFLAGS = 0x236,
	PROTOCOL_XLOADFLAGS = 0x020c,
	XLF_KERNEL_64 = 1,
};

static bool is_bzimage(const struct candidate *file)
{
	return head_has(file, SETUP_MAGIC, "HdrS", 4) && head_has(file, SETUP_BOOT_FLAG, "\x55\xaa", 2) &&
	       file->head_size > SETUP_XLOADFLAGS + 2;
}

/* What is wrong with it, or NULL. */
static const char *bzimage_inspect(const struct candidate *file, struct kernel *out)
{
	if (le16(file->head + SETUP_PROTOCOL) < PROTOCOL_XLOADFLAGS)
		return "a Linux kernel older than 3.8, or a 32-bit one";
	if (!(le16(file->head + SETUP_XLOADFLAGS) & XLF_KERNEL_64))
		return "a 32-bit x86 kernel";
	out->format = KERNEL_BZIMAGE;
	out->arch = KERNEL_X86_64;
	uint16_t pointer = le16(file->head + SETUP_KERNEL_VERSION);
	uint64_t offset = pointer + 0x200u;
	if (pointer == 0 || offset >= file->size)
		return NULL;
	char text[VERSION_LIMIT + 1];
	size_t length = file->size - offset < sizeof text ? (size_t)(file->size - offset) : sizeof text;
	if (fd_read_all(file->fd, text, length, (off_t)offset))
		out->version = version_word(file->arena, text, length);
	return NULL;
}

/* ---- ELF ---- */

static size_t align_up(size_t value, size_t alignment)
{
	return (value + alignment - 1) & ~(alignment - 1);
}

/* Whether these ELF notes hold Xen's PHYS32_ENTRY, the entry point of the PVH boot protocol (xen/include/public/elfnote.h). */
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
		if (note.n_type == XEN_ELFNOTE_PHYS32_ENTRY && note.n_namesz == 4 && memcmp(notes + at, "Xen", 4) == 0)
			return true;
		size_t skip = align_up(note.n_namesz, alignment) + align_up(note.n_descsz, alignment);
		if (skip > size - at)
			return false;
		at += skip;
	}
	return false;
}

static bool segment_has_pvh(const struct candidate *file, const Elf64_Phdr *segment)
{
	if (segment->p_filesz > NOTES_LIMIT_BYTES || segment->p_offset > file->size || segment->p_filesz > file->size - segment->p_offset)
		return false;
	unsigned char *notes = malloc(segment->p_filesz + 1);
	if (!notes)
		abort();
	bool found = fd_read_all(file->fd, notes, segment->p_filesz, (off_t)segment->p_offset) &&
		     notes_have_pvh(notes, segment->p_filesz, segment->p_align == 8 ? 8 : 4);
	free(notes);
	return found;
}

/* Reads program header `index`; false when it lies outside the file. */
static bool segment_read(const struct candidate *file, const Elf64_Ehdr *header, unsigned index, Elf64_Phdr *out)
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

static const char *elf_inspect(const struct candidate *file, struct kernel *out)
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
	if ((header.e_type != ET_EXEC && header.e_type != ET_DYN) || header.e_phentsize != sizeof(Elf64_Phdr))
		return elf_kind(header.e_type);
	for (unsigned i = 0; i < header.e_phnum; i++) {
		Elf64_Phdr segment;
		if (!segment_read(file, &header, i, &segment))
			return "a truncated ELF file";
		if (segment.p_type == PT_INTERP)
			return elf_kind(header.e_type);
		if (segment.p_type == PT_NOTE && segment_has_pvh(file, &segment))
			out->pvh = true;
	}
	out->format = KERNEL_ELF;
	out->arch = header.e_machine == EM_X86_64 ? KERNEL_X86_64 : KERNEL_AARCH64;
	out->version = scan_for_version(file);
	return out->version || out->pvh ? NULL : elf_kind(header.e_type);
}

/* ---- arm64 Image: Documentation/arch/arm64/booting.rst ---- */

enum { ARM64_MAGIC_OFFSET = 0x38 };
static const char arm64_magic[] = "ARM\x64";

static const char *image_inspect(const struct candidate *file, struct kernel *out)
{
	out->format = KERNEL_ARM64_IMAGE;
	out->arch = KERNEL_AARCH64;
	out->version = scan_for_version(file);
	return NULL;
}

static const char *gzip_inspect(const struct candidate *file, struct kernel *out)
{
	char head[ARM64_MAGIC_OFFSET + 4];
	struct archive *archive = plain_open(file);
	la_ssize_t got = archive ? archive_read_data(archive, head, sizeof head) : -1;
	if (archive)
		archive_read_free(archive);
	if (got != (la_ssize_t)sizeof head || memcmp(head + ARM64_MAGIC_OFFSET, arm64_magic, 4) != 0)
		return "gzip-compressed data without an arm64 kernel in it";
	out->format = KERNEL_ARM64_IMAGE_GZ;
	out->arch = KERNEL_AARCH64;
	out->version = scan_for_version(file);
	return NULL;
}

/* ---- everything else ---- */

static bool is_text(const struct candidate *file)
{
	for (size_t i = 0; i < file->head_size; i++)
		if (file->head[i] < ' ' && !isspace(file->head[i]))
			return false;
	return true;
}

/* What a file that is no kernel is, for people. */
static const char *other_kind(const struct candidate *file)
{
	static const struct {
		size_t offset;
		const char *magic, *kind;
	} kinds[] = {
		{0, "#!", "a script"},
		{4, "zimg", "a compressed EFI kernel (zboot); give the Image inside it"},
		{0, "MZ", "an EFI program (a unified kernel image?)"},
		{0, "070701", "an initramfs (cpio)"},
		{0, "hsqs", "a squashfs image"},
		{0, "\xfd" "7zXZ", "xz-compressed data"},
		{0, "\x28\xb5\x2f\xfd", "zstd-compressed data"},
		{0, "!<arch>", "an archive (a Debian package?)"},
	};
	for (size_t i = 0; i < countof(kinds); i++)
		if (head_has(file, kinds[i].offset, kinds[i].magic, strlen(kinds[i].magic)))
			return kinds[i].kind;
	return is_text(file) ? "a text file" : "unknown data";
}

static const char *content_inspect(const struct candidate *file, struct kernel *out)
{
	if (file->size == 0)
		return "empty";
	if (is_bzimage(file))
		return bzimage_inspect(file, out);
	if (head_has(file, 0, ELFMAG, SELFMAG))
		return elf_inspect(file, out);
	if (head_has(file, ARM64_MAGIC_OFFSET, arm64_magic, 4))
		return image_inspect(file, out);
	if (head_has(file, 0, "\x1f\x8b", 2))
		return gzip_inspect(file, out);
	return other_kind(file);
}

static bool unreadable(struct diag *diag, const struct pos *where, const char *path)
{
	return diag_error(diag, STATUS_INPUT, where, "unreadable-kernel", "cannot read the kernel %s: %s", path, strerror(errno));
}

static bool file_inspect(struct arena *arena, struct diag *diag, const char *path, const struct pos *where, struct kernel *out)
{
	/* O_NONBLOCK: opening a FIFO must not wait for its other end. */
	FD_CLEANUP int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) != 0)
		return unreadable(diag, where, path);
	if (!S_ISREG(st.st_mode))
		return diag_error(diag, STATUS_INPUT, where, "not-a-kernel", "%s is not a kernel that can be used: it is not a regular file", path);
	struct candidate file = {.arena = arena, .path = path, .fd = fd, .size = (uint64_t)st.st_size};
	file.head_size = file.size < HEAD_BYTES ? (size_t)file.size : HEAD_BYTES;
	if (!fd_read_all(fd, file.head, file.head_size, 0))
		return unreadable(diag, where, path);
	*out = (struct kernel){.path = path};
	const char *wrong = content_inspect(&file, out);
	if (wrong)
		return diag_error(diag, STATUS_INPUT, where, "not-a-kernel", "%s is not a kernel that can be used: it is %s", path, wrong);
	return true;
}

/* ---- kernel packages ---- */

/* Whether one of the files is `path` under another name: /vmlinuz is often a link to /boot/vmlinuz-VERSION. */
static bool is_known(const struct strings *files, const char *path)
{
	struct stat st, other;
	if (stat(path, &st) != 0)
		return false;
	for (size_t i = 0; i < files->n; i++)
		if (stat(files->v[i], &other) == 0 && st.st_dev == other.st_dev && st.st_ino == other.st_ino)
			return true;
	return false;
}

/* Adds the files that match; only `pattern` is a pattern, the characters of `directory` stand for themselves. */
static void package_glob(struct arena *arena, const char *directory, const char *subdirectory, const char *pattern, struct strings *out)
{
	const char *folder = *subdirectory ? path_join(arena, directory, subdirectory) : directory;
	BUF_CLEANUP struct buf escaped = {0};
	for (const char *c = folder; *c; c++)
		buf_printf(&escaped, strchr("*?[\\", *c) ? "\\%c" : "%c", *c);
	buf_printf(&escaped, "/%s", pattern);
	glob_t found;
	if (glob(buf_text(&escaped), 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		if (!path_is_directory(found.gl_pathv[i]) && !is_known(out, found.gl_pathv[i]))
			vec_push(arena, out, arena_strdup(arena, found.gl_pathv[i]));
	globfree(&found);
}

/* The one kernel in a kernel package, or NULL with an error. */
static const char *package_kernel(struct arena *arena, struct diag *diag, const char *directory, const struct pos *where)
{
	struct strings files = {0};
	static const struct {
		const char *subdirectory, *pattern;
	} places[] = {{"", "bzImage"}, {"", "Image"}, {"", "Image.gz"}, {"", "vmlinux"}, {"", "vmlinuz*"}, {"boot", "vmlinuz-*"}};
	for (size_t i = 0; i < countof(places); i++)
		package_glob(arena, directory, places[i].subdirectory, places[i].pattern, &files);
	if (files.n == 1)
		return files.v[0];
	if (files.n == 0) {
		diag_error(diag, STATUS_INPUT, where, "no-kernel",
			   "%s has no kernel: neither bzImage, Image, Image.gz, vmlinux, vmlinuz* nor boot/vmlinuz-*", directory);
		return NULL;
	}
	BUF_CLEANUP struct buf names = {0};
	for (size_t i = 0; i < files.n; i++)
		buf_printf(&names, "%s%s", i ? ", " : "", files.v[i]);
	diag_error(diag, STATUS_INPUT, where, "several-kernels", "%s has several kernels, name one of them: %s", directory, buf_text(&names));
	return NULL;
}

bool kernel_inspect(struct arena *arena, struct diag *diag, const char *path, const struct pos *where, struct kernel *out)
{
	if (!path_is_directory(path))
		return file_inspect(arena, diag, path, where, out);
	const char *file = package_kernel(arena, diag, path, where);
	return file && file_inspect(arena, diag, file, where, out);
}

const char *kernel_format_name(enum kernel_format format)
{
	static const char *const names[] = {
		[KERNEL_BZIMAGE] = "bzImage",
		[KERNEL_ELF] = "vmlinux",
		[KERNEL_ARM64_IMAGE] = "arm64 Image",
		[KERNEL_ARM64_IMAGE_GZ] = "arm64 Image.gz",
	};
	return names[format];
}

const char *kernel_arch_name(enum kernel_arch arch)
{
	return arch == KERNEL_X86_64 ? "x86_64" : "aarch64";
}

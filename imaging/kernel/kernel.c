/* SPDX-License-Identifier: MIT */
#include "imaging/kernel/kernel.h"

#include <archive.h>
#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/ending.h"
#include "base/file.h"
#include "imaging/kernel/file.h"

static uint16_t le16(const unsigned char *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t le32(const unsigned char *p)
{
	return (uint32_t)le16(p) | (uint32_t)le16(p + 2) << 16;
}

static uint64_t le64(const unsigned char *p)
{
	return (uint64_t)le32(p) | (uint64_t)le32(p + 4) << 32;
}

/* The end of `size` bytes at `start`; 0 if that is beyond what a machine could have. */
static uint64_t memory_end(uint64_t start, uint64_t size)
{
	const uint64_t most = UINT64_C(1) << 40;
	return start < most && size < most ? start + size : 0;
}

static const char *cut_off(const struct kernel_file *file, uint64_t bytes)
{
	return arena_printf(file->arena,
		"truncated: its header declares %llu bytes, but it has %llu",
		(unsigned long long)bytes, (unsigned long long)file->size);
}

static bool head_has(
	const struct kernel_file *file, size_t offset, const char *magic, size_t length)
{
	return offset + length <= file->head_size &&
		memcmp(file->head + offset, magic, length) == 0;
}

/* ---- x86 bzImage: Documentation/arch/x86/boot.rst in the kernel's source ---- */

enum {
	SETUP_SECTORS = 0x1f1, /* of 512 bytes, after the first one */
	SETUP_SECTORS_OLD = 4, /* 0 means this number */
	SETUP_SYSSIZE = 0x1f4, /* size of the rest, in units of 16 bytes */
	SYSSIZE_UNIT = 16,
	SETUP_BOOT_FLAG = 0x1fe,
	SETUP_MAGIC = 0x202,
	SETUP_PROTOCOL = 0x206,
	SETUP_KERNEL_VERSION = 0x20e, /* offset of the version string, minus 0x200 */
	SETUP_XLOADFLAGS = 0x236,
	SETUP_PREFERRED_ADDRESS = 0x258, /* 8 bytes */
	SETUP_INIT_SIZE = 0x260,         /* of the memory there that it needs to unpack itself */
	PROTOCOL_XLOADFLAGS = 0x020c,
	XLF_KERNEL_64 = 1,
};

static bool is_bzimage(const struct kernel_file *file)
{
	return head_has(file, SETUP_MAGIC, "HdrS", 4) &&
		head_has(file, SETUP_BOOT_FLAG, "\x55\xaa", 2) &&
		file->head_size >= SETUP_INIT_SIZE + 4;
}

/* Returns its defect, or NULL. */
static const char *bzimage_inspect(const struct kernel_file *file, struct kernel *out)
{
	if (le16(file->head + SETUP_PROTOCOL) < PROTOCOL_XLOADFLAGS)
		return "a Linux kernel older than 3.8, or a 32-bit one";
	if (!(le16(file->head + SETUP_XLOADFLAGS) & XLF_KERNEL_64))
		return "a 32-bit x86 kernel";
	out->format = KERNEL_BZIMAGE;
	out->arch = KERNEL_X86_64;
	const unsigned sectors =
		file->head[SETUP_SECTORS] ? file->head[SETUP_SECTORS] : SETUP_SECTORS_OLD;
	const uint64_t bytes =
		(sectors + 1) * 512u + (uint64_t)le32(file->head + SETUP_SYSSIZE) * SYSSIZE_UNIT;
	if (bytes > file->size)
		return cut_off(file, bytes);
	out->end = memory_end(
		le64(file->head + SETUP_PREFERRED_ADDRESS), le32(file->head + SETUP_INIT_SIZE));
	uint16_t pointer = le16(file->head + SETUP_KERNEL_VERSION);
	uint64_t offset = pointer + 0x200u;
	if (pointer == 0 || offset >= file->size)
		return NULL;
	char text[KERNEL_VERSION_LIMIT + 1];
	size_t length =
		file->size - offset < sizeof text ? (size_t)(file->size - offset) : sizeof text;
	if (!fd_read_all(file->fd, text, length, (off_t)offset))
		return arena_printf(file->arena, "unreadable: %s", strerror(errno));
	out->version = kernel_version_word(file->arena, text, length);
	return NULL;
}

/* ---- arm64 Image: Documentation/arch/arm64/booting.rst ---- */

enum { ARM64_TEXT_OFFSET = 8, ARM64_IMAGE_SIZE = 16, ARM64_MAGIC_OFFSET = 0x38 };
static const char arm64_magic[] = "ARM\x64";

/*
 * The Image header has the size in memory, part of which is not in the file. The size of the file
 * follows from the EFI header ("PE\0\0" and its sections: the Microsoft PE and COFF specification),
 * which only a few embedded builds lack.
 */
static const char *image_cut_off(const struct kernel_file *file)
{
	enum {
		PE_POINTER = 0x3c,
		PE_SECTIONS = 6,
		PE_OPTIONAL_BYTES = 20,
		PE_BYTES = 24,
		SECTION_BYTES = 40,
		SECTION_SIZE = 16,
		SECTION_START = 20
	};
	const uint32_t pe =
		file->head_size < ARM64_MAGIC_OFFSET + 8 ? 0 : le32(file->head + PE_POINTER);
	if (pe < ARM64_MAGIC_OFFSET || pe > file->head_size || file->head_size - pe < PE_BYTES ||
		memcmp(file->head + pe, "PE\0\0", 4) != 0)
		return NULL;
	const unsigned sections = le16(file->head + pe + PE_SECTIONS);
	size_t at = pe + PE_BYTES + le16(file->head + pe + PE_OPTIONAL_BYTES);
	for (unsigned i = 0; i < sections && at + SECTION_BYTES <= file->head_size;
		i++, at += SECTION_BYTES) {
		const uint64_t end = (uint64_t)le32(file->head + at + SECTION_START) +
			le32(file->head + at + SECTION_SIZE);
		if (end > file->size)
			return cut_off(file, end);
	}
	return NULL;
}

static const char *image_inspect(const struct kernel_file *file, struct kernel *out)
{
	out->format = KERNEL_ARM64_IMAGE;
	out->arch = KERNEL_AARCH64;
	out->end = memory_end(
		le64(file->head + ARM64_TEXT_OFFSET), le64(file->head + ARM64_IMAGE_SIZE));
	const char *wrong = image_cut_off(file);
	return wrong ? wrong : kernel_file_version(file, &out->version);
}

static const char *gzip_inspect(const struct kernel_file *file, struct kernel *out)
{
	unsigned char head[ARM64_MAGIC_OFFSET + 4];
	const char *wrong = NULL;
	struct archive *archive = kernel_file_open_plain(file, &wrong);
	la_ssize_t got = archive ? archive_read_data(archive, head, sizeof head) : -1;
	if (archive)
		archive_read_free(archive);
	if (got != (la_ssize_t)sizeof head ||
		memcmp(head + ARM64_MAGIC_OFFSET, arm64_magic, 4) != 0)
		return wrong ? wrong : "gzip-compressed data without an arm64 kernel in it";
	out->format = KERNEL_ARM64_IMAGE_GZ;
	out->arch = KERNEL_AARCH64;
	out->end = memory_end(le64(head + ARM64_TEXT_OFFSET), le64(head + ARM64_IMAGE_SIZE));
	return kernel_file_version(file, &out->version);
}

/* ---- everything else ---- */

static bool is_text(const struct kernel_file *file)
{
	for (size_t i = 0; i < file->head_size; i++)
		if (file->head[i] < ' ' && !isspace(file->head[i]))
			return false;
	return true;
}

/* Describes a file that is not a kernel, for messages. */
static const char *other_kind(const struct kernel_file *file)
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
		{0,
			"\xfd"
			"7zXZ",
			"xz-compressed data"},
		{0, "\x28\xb5\x2f\xfd", "zstd-compressed data"},
		{0, "!<arch>", "an archive (a Debian package?)"},
	};
	for (size_t i = 0; i < countof(kinds); i++)
		if (head_has(file, kinds[i].offset, kinds[i].magic, strlen(kinds[i].magic)))
			return kinds[i].kind;
	return is_text(file) ? "a text file" : "unknown data";
}

static const char *content_inspect(const struct kernel_file *file, struct kernel *out)
{
	if (file->size == 0)
		return "empty";
	if (is_bzimage(file))
		return bzimage_inspect(file, out);
	if (head_has(file, 0, ELFMAG, SELFMAG))
		return kernel_elf_inspect(file, out);
	if (head_has(file, ARM64_MAGIC_OFFSET, arm64_magic, 4))
		return image_inspect(file, out);
	if (head_has(file, 0, "\x1f\x8b", 2))
		return gzip_inspect(file, out);
	return other_kind(file);
}

static bool unreadable(struct diag *diag, const struct pos *where, const char *path)
{
	return diag_error(diag, STATUS_INPUT, where, "unreadable-kernel",
		"cannot read the kernel %s: %s", path, strerror(errno));
}

static bool file_inspect(struct arena *arena, struct diag *diag, const char *path,
	const struct pos *where, struct kernel *out)
{
	/* O_NONBLOCK: opening a FIFO must not wait for its other end. */
	FD_CLEANUP int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) != 0)
		return unreadable(diag, where, path);
	if (!S_ISREG(st.st_mode))
		return diag_error(diag, STATUS_INPUT, where, "not-a-kernel",
			"cannot use %s as a kernel: it is not a regular file", path);
	struct kernel_file file = {
		.arena = arena, .path = path, .fd = fd, .size = (uint64_t)st.st_size};
	file.head_size = file.size < KERNEL_HEAD_BYTES ? (size_t)file.size : KERNEL_HEAD_BYTES;
	if (!fd_read_all(fd, file.head, file.head_size, 0))
		return unreadable(diag, where, path);
	*out = (struct kernel){.path = path};
	const char *wrong = content_inspect(&file, out);
	if (wrong)
		return diag_error(diag, STATUS_INPUT, where, "not-a-kernel",
			"cannot use %s as a kernel: it is %s", path, wrong);
	return true;
}

/* ---- kernel packages ---- */

/*
 * Whether `path` is another name of one of the files: /vmlinuz is often a link to
 * /boot/vmlinuz-VERSION.
 */
static bool is_known(const struct strings *files, const char *path)
{
	struct stat st, other;
	if (stat(path, &st) != 0) {
		ending_unless_absent(path, errno);
		return false;
	}
	for (size_t i = 0; i < files->n; i++)
		if (stat(files->v[i], &other) == 0 && st.st_dev == other.st_dev &&
			st.st_ino == other.st_ino)
			return true;
	return false;
}

static int glob_failed(const char *path, int error)
{
	ending_unless_absent(path, error);
	return 0;
}

/* Adds the files that match `pattern`; `directory` is escaped. */
static void package_glob(struct arena *arena, const char *directory, const char *subdirectory,
	const char *pattern, struct strings *out)
{
	const char *folder = *subdirectory ? path_join(arena, directory, subdirectory) : directory;
	BUF_CLEANUP struct buf escaped = {0};
	for (const char *c = folder; *c; c++)
		buf_printf(&escaped, strchr("*?[\\", *c) ? "\\%c" : "%c", *c);
	buf_printf(&escaped, "/%s", pattern);
	glob_t found;
	if (glob(buf_text(&escaped), 0, glob_failed, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		if (!path_is_directory(found.gl_pathv[i]) && !is_known(out, found.gl_pathv[i]))
			vec_push(arena, out, arena_strdup(arena, found.gl_pathv[i]));
	globfree(&found);
}

/* Returns the only kernel in a kernel package, or NULL with an error. */
static const char *package_kernel(
	struct arena *arena, struct diag *diag, const char *directory, const struct pos *where)
{
	struct strings files = {0};
	static const struct {
		const char *subdirectory, *pattern;
	} places[] = {{"", "bzImage"}, {"", "Image"}, {"", "Image.gz"}, {"", "vmlinux"},
		{"", "vmlinuz*"}, {"boot", "vmlinuz-*"}};
	for (size_t i = 0; i < countof(places); i++)
		package_glob(arena, directory, places[i].subdirectory, places[i].pattern, &files);
	if (files.n == 1)
		return files.v[0];
	if (files.n == 0) {
		diag_error(diag, STATUS_INPUT, where, "no-kernel",
			"%s has no kernel: neither bzImage, Image, Image.gz, vmlinux, vmlinuz* nor "
			"boot/vmlinuz-*",
			directory);
		return NULL;
	}
	BUF_CLEANUP struct buf names = {0};
	for (size_t i = 0; i < files.n; i++)
		buf_printf(&names, "%s%s", i ? ", " : "", files.v[i]);
	diag_error(diag, STATUS_INPUT, where, "several-kernels",
		"%s has several kernels; name one of them: %s", directory, buf_text(&names));
	return NULL;
}

bool kernel_inspect(struct arena *arena, struct diag *diag, const char *path,
	const struct pos *where, struct kernel *out)
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

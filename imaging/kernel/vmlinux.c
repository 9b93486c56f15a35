/* SPDX-License-Identifier: MIT */
#include "imaging/kernel/vmlinux.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "imaging/kernel/kernel.h"
#include "imaging/kernel/unpack.h"

/* Documentation/arch/x86/boot.rst in the kernel's source. */
enum {
	SECTOR_BYTES = 512,
	SETUP_SECTORS = 0x1f1,
	SETUP_SECTORS_OLD = 4, /* 0 means this number */
	SETUP_BOOT_FLAG = 0x1fe,
	SETUP_MAGIC = 0x202,
	SETUP_PROTOCOL = 0x206,
	SETUP_PAYLOAD_OFFSET = 0x248, /* from the end of the setup sectors */
	SETUP_PAYLOAD_LENGTH = 0x24c,
	SETUP_BYTES = 0x250,
	PROTOCOL_PAYLOAD = 0x0208,
};

enum {
	/* the payload ends with its uncompressed size: arch/x86/boot/compressed/mkpiggy.c */
	SIZE_BYTES = 4,
	LIMIT_BYTES = 512 << 20, /* no kernel is larger */
};

/* Compressions of Linux: scripts/Makefile.lib. Only gzip's own trailer serves as the size. */
static const struct packing {
	const char *name, *magic;
	size_t length;
	int (*support)(struct archive *);
	size_t trailer;
} packings[] = {
	{"gzip", "\x1f\x8b", 2, archive_read_support_filter_gzip, 0},
	{"xz",
		"\xfd"
		"7zXZ\0",
		6, archive_read_support_filter_xz, SIZE_BYTES},
	{"zstd", "\x28\xb5\x2f\xfd", 4, archive_read_support_filter_zstd, SIZE_BYTES},
	{"lz4", "\x02\x21\x4c\x18", 4, archive_read_support_filter_lz4, SIZE_BYTES},
	{"bzip2", "BZh", 3, archive_read_support_filter_bzip2, SIZE_BYTES},
	{"lzma", "\x5d\0\0", 3, archive_read_support_filter_lzma, SIZE_BYTES},
	{"lzo", "\x89LZO\0\r\n\x1a\n", 9, archive_read_support_filter_lzop, SIZE_BYTES},
};

struct unpacker {
	struct arena *arena;
	struct diag *diag;
	const char *bzimage, *output;
};

static bool broken(const struct unpacker *unpacker, const char *why)
{
	return diag_error(unpacker->diag, STATUS_INPUT, NULL, "broken-kernel",
		"cannot unpack the kernel %s: %s", unpacker->bzimage, why);
}

static bool unwritable(const struct unpacker *unpacker)
{
	return diag_error(unpacker->diag, STATUS_FAILED, NULL, "unwritable-file",
		"cannot write %s: %s", unpacker->output, strerror(errno));
}

static uint32_t le32(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* ---- the payload ---- */

struct payload {
	unsigned char *p;
	size_t n;
};

/* Finds the payload; false if the header is invalid. */
static bool payload_find(
	const unsigned char *setup, uint64_t size, uint64_t *offset, size_t *length)
{
	if (memcmp(setup + SETUP_MAGIC, "HdrS", 4) != 0 ||
		memcmp(setup + SETUP_BOOT_FLAG, "\x55\xaa", 2) != 0 ||
		(le32(setup + SETUP_PROTOCOL) & 0xffff) < PROTOCOL_PAYLOAD)
		return false;
	unsigned sectors = setup[SETUP_SECTORS] ? setup[SETUP_SECTORS] : SETUP_SECTORS_OLD;
	*offset = (uint64_t)(sectors + 1) * SECTOR_BYTES + le32(setup + SETUP_PAYLOAD_OFFSET);
	*length = le32(setup + SETUP_PAYLOAD_LENGTH);
	return *offset <= size && *length <= size - *offset && *length > 2 * SIZE_BYTES;
}

static bool payload_read(const struct unpacker *unpacker, struct payload *payload)
{
	/* O_NONBLOCK: opening a FIFO must not wait for its other end. */
	FD_CLEANUP int fd = open(unpacker->bzimage, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	unsigned char setup[SETUP_BYTES];
	if (fd < 0 || fstat(fd, &st) != 0)
		return broken(unpacker, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size < SETUP_BYTES)
		return broken(unpacker, "it is not a bzImage");
	if (!fd_read_all(fd, setup, sizeof setup, 0))
		return broken(unpacker, strerror(errno));
	uint64_t offset;
	if (!payload_find(setup, (uint64_t)st.st_size, &offset, &payload->n))
		return broken(unpacker,
			"its header does not describe a payload inside the file (is it "
			"truncated?)");
	payload->p = arena_alloc(unpacker->arena, payload->n);
	return fd_read_all(fd, payload->p, payload->n, (off_t)offset) ||
		broken(unpacker, strerror(errno));
}

static const struct packing *packing_of(const struct payload *payload)
{
	for (size_t i = 0; i < countof(packings); i++)
		if (payload->n > packings[i].length &&
			memcmp(payload->p, packings[i].magic, packings[i].length) == 0)
			return &packings[i];
	return NULL;
}

/* ---- unpacking ---- */

static void archive_close(struct archive **archive)
{
	archive_read_free(*archive);
}

static bool copy_out(
	const struct unpacker *unpacker, struct archive *archive, int fd, uint64_t size)
{
	uint64_t written = 0;
	const void *block;
	size_t count;
	int64_t offset;
	int status;
	while ((status = archive_read_data_block(archive, &block, &count, &offset)) == ARCHIVE_OK &&
		count <= size - written) {
		if (!fd_write_all(fd, block, count, (off_t)written))
			return unwritable(unpacker);
		written += count;
	}
	if (status != ARCHIVE_OK && status != ARCHIVE_EOF)
		return broken(unpacker, unpack_reason(archive));
	if (status == ARCHIVE_OK || written != size)
		return broken(unpacker, "its payload does not have the declared size");
	return true;
}

static bool unpack_to(const struct unpacker *unpacker, const struct payload *payload, int fd)
{
	const struct packing *packing = packing_of(payload);
	uint32_t size = le32(payload->p + payload->n - SIZE_BYTES);
	if (!packing)
		return broken(unpacker, "its compression is unknown");
	if (size > LIMIT_BYTES)
		return broken(unpacker, "its declared size is more than 512 MiB");
	__attribute__((cleanup(archive_close))) struct archive *archive =
		require_memory(archive_read_new());
	/* ARCHIVE_WARN means that libarchive would run an external program. */
	if (packing->support(archive) != ARCHIVE_OK)
		return broken(unpacker,
			arena_printf(unpacker->arena,
				"it is compressed with %s, which this libarchive does not support",
				packing->name));
	archive_read_support_format_raw(archive);
	struct archive_entry *entry;
	if (archive_read_open_memory(archive, payload->p, payload->n - packing->trailer) !=
			ARCHIVE_OK ||
		archive_read_next_header(archive, &entry) != ARCHIVE_OK)
		return broken(unpacker, unpack_reason(archive));
	return copy_out(unpacker, archive, fd, size);
}

static bool check_kernel(const struct unpacker *unpacker)
{
	struct kernel kernel;
	struct diag *quiet = diag_new(unpacker->arena); /* its messages would name the output */
	if (kernel_inspect(unpacker->arena, quiet, unpacker->output, NULL, &kernel) &&
		kernel.format == KERNEL_ELF && kernel.arch == KERNEL_X86_64)
		return true;
	return broken(unpacker, "its payload is not an x86_64 ELF kernel");
}

static bool unpack(const struct unpacker *unpacker)
{
	struct payload payload;
	if (!payload_read(unpacker, &payload))
		return false;
	FD_CLEANUP int fd = open(unpacker->output, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return unwritable(unpacker);
	bool ok = unpack_to(unpacker, &payload, fd) &&
		(fchmod(fd, 0444) == 0 || unwritable(unpacker)) && check_kernel(unpacker);
	if (!ok)
		unlink(unpacker->output);
	return ok;
}

bool kernel_unpack(struct diag *diag, const char *bzimage, const char *output)
{
	struct arena *arena = arena_new();
	const struct unpacker unpacker = {arena, diag, bzimage, output};
	bool ok = unpack(&unpacker);
	arena_free(arena);
	return ok;
}

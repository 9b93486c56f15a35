/* SPDX-License-Identifier: MIT */
#include "imaging/nar.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compiler/base/buf.h"
#include "compiler/base/file.h"

enum { PENDING_BYTES = 256 * 1024 };

struct nar {
	struct diag *diag;
	struct buf path; /* of the node at hand, for messages */
	EVP_MD_CTX *digest; /* NULL: only the size is wanted, and no content is read */
	uint64_t size;
	size_t pending; /* bytes in `bytes` that are not hashed yet */
	char *bytes;    /* PENDING_BYTES */
};

static bool failed(const struct nar *nar, const char *what)
{
	return diag_error(nar->diag, STATUS_INPUT, NULL, "unreadable-file", "cannot %s %s: %s", what, buf_text(&nar->path), strerror(errno));
}

static void flush(struct nar *nar)
{
	if (EVP_DigestUpdate(nar->digest, nar->bytes, nar->pending) != 1)
		abort();
	nar->pending = 0;
}

static void put(struct nar *nar, const void *bytes, size_t count)
{
	const char *from = bytes;
	nar->size += count;
	while (nar->digest && count) {
		if (nar->pending == PENDING_BYTES)
			flush(nar);
		size_t room = PENDING_BYTES - nar->pending, part = count < room ? count : room;
		memcpy(nar->bytes + nar->pending, from, part);
		nar->pending += part;
		from += part;
		count -= part;
	}
}

/* Lengths are 64 bits, little endian. */
static void put_length(struct nar *nar, uint64_t length)
{
	unsigned char bytes[8];
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (unsigned char)(length >> 8 * i);
	put(nar, bytes, sizeof bytes);
}

/* Zeros up to a multiple of eight. */
static void put_padding(struct nar *nar, uint64_t length)
{
	put(nar, "\0\0\0\0\0\0\0", (size_t)(-length & 7));
}

static void put_string(struct nar *nar, const char *text)
{
	size_t length = strlen(text);
	put_length(nar, length);
	put(nar, text, length);
	put_padding(nar, length);
}

static void put_strings(struct nar *nar, const char *const *texts)
{
	for (; *texts; texts++)
		put_string(nar, *texts);
}
#define put_all(nar, ...) put_strings(nar, (const char *const[]){__VA_ARGS__, NULL})

static bool put_contents(struct nar *nar, int fd, uint64_t size)
{
	put_length(nar, size);
	for (uint64_t at = nar->digest ? 0 : size; at < size;) {
		if (nar->pending == PENDING_BYTES)
			flush(nar);
		size_t room = PENDING_BYTES - nar->pending, part = size - at < room ? (size_t)(size - at) : room;
		if (!fd_read_all(fd, nar->bytes + nar->pending, part, (off_t)at))
			return failed(nar, "read");
		nar->pending += part;
		at += part;
	}
	nar->size += size;
	put_padding(nar, size);
	return true;
}

static bool put_file(struct nar *nar, int parent, const char *name)
{
	FD_CLEANUP int fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) != 0)
		return failed(nar, "open");
	put_all(nar, "type", "regular");
	if (st.st_mode & S_IXUSR)
		put_all(nar, "executable", "");
	put_string(nar, "contents");
	return put_contents(nar, fd, (uint64_t)st.st_size);
}

static bool put_link(struct nar *nar, int parent, const char *name)
{
	char target[4096]; /* no Linux file system keeps one of more than 4095 bytes */
	ssize_t length = readlinkat(parent, name, target, sizeof target - 1);
	if (length < 0)
		return failed(nar, "read the link");
	target[length] = '\0';
	put_all(nar, "type", "symlink", "target", target);
	return true;
}

static int is_entry(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static bool put_node(struct nar *nar, int parent, const char *name);

static bool put_entry(struct nar *nar, int directory, const char *name)
{
	size_t length = nar->path.n;
	buf_printf(&nar->path, "/%s", name);
	put_all(nar, "entry", "(", "name", name, "node");
	bool ok = put_node(nar, directory, name);
	put_string(nar, ")");
	nar->path.n = length;
	nar->path.p[length] = '\0';
	return ok;
}

static bool put_directory(struct nar *nar, int parent, const char *name)
{
	FD_CLEANUP int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirent **entries;
	int count = fd < 0 ? -1 : scandirat(fd, ".", &entries, is_entry, by_name);
	if (count < 0)
		return failed(nar, "read the directory");
	put_all(nar, "type", "directory");
	bool ok = true;
	for (int i = 0; i < count; i++) {
		ok = ok && put_entry(nar, fd, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return ok;
}

static bool put_content_of(struct nar *nar, int parent, const char *name, mode_t mode)
{
	if (S_ISREG(mode))
		return put_file(nar, parent, name);
	if (S_ISDIR(mode))
		return put_directory(nar, parent, name);
	if (S_ISLNK(mode))
		return put_link(nar, parent, name);
	return diag_error(nar->diag, STATUS_INPUT, NULL, "store-path-type", "%s is neither a file, a directory nor a symbolic link",
			  buf_text(&nar->path));
}

static bool put_node(struct nar *nar, int parent, const char *name)
{
	struct stat st;
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return failed(nar, "read");
	put_string(nar, "(");
	bool ok = put_content_of(nar, parent, name, st.st_mode);
	put_string(nar, ")");
	return ok;
}

static void write_hex(const struct nar *nar, char hash[65])
{
	unsigned char digest[32];
	if (EVP_DigestFinal_ex(nar->digest, digest, NULL) != 1)
		abort();
	for (size_t i = 0; i < sizeof digest; i++)
		snprintf(hash + 2 * i, 3, "%02x", digest[i]);
}

bool nar_hash(struct diag *diag, const char *path, char hash[65], uint64_t *size)
{
	struct nar nar = {.diag = diag, .digest = EVP_MD_CTX_new(), .bytes = malloc(PENDING_BYTES)};
	if (!nar.digest || !nar.bytes || EVP_DigestInit_ex(nar.digest, EVP_sha256(), NULL) != 1)
		abort();
	buf_puts(&nar.path, path);
	put_string(&nar, "nix-archive-1");
	bool ok = put_node(&nar, AT_FDCWD, path);
	if (ok) {
		flush(&nar);
		write_hex(&nar, hash);
		*size = nar.size;
	}
	EVP_MD_CTX_free(nar.digest);
	free(nar.bytes);
	buf_free(&nar.path);
	return ok;
}

bool nar_size(struct diag *diag, const char *path, uint64_t *size)
{
	struct nar nar = {.diag = diag};
	buf_puts(&nar.path, path);
	put_string(&nar, "nix-archive-1");
	bool ok = put_node(&nar, AT_FDCWD, path);
	*size = nar.size;
	buf_free(&nar.path);
	return ok;
}

/* SPDX-License-Identifier: MIT */
#include "imaging/store/store_walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/holes.h"
#include "imaging/store/attributes.h"

enum { READ_BYTES = 128 * 1024 };

bool store_walk_failed(const struct store_walk *walk)
{
	const bool denied = walk->whole && (errno == EACCES || errno == EPERM);
	return diag_error(walk->diag, STATUS_INPUT, NULL, "unreadable-file", "cannot read %s: %s%s",
		buf_text(&walk->path), strerror(errno),
		denied ? "; run mvmbuild as root to import a root file system" : "");
}

bool store_walk_changed(const struct store_walk *walk)
{
	return diag_error(walk->diag, STATUS_INPUT, NULL, "file-changed",
		"%s changed while it was read", buf_text(&walk->path));
}

static bool refuse_kind(const struct store_walk *walk)
{
	return diag_error(walk->diag, STATUS_INPUT, NULL, "unknown-file-kind",
		"%s is not a regular file, a directory or a symbolic link; a store path cannot "
		"contain anything else",
		buf_text(&walk->path));
}

/* ---- links and files ---- */

static bool walk_symlink(
	struct store_walk *walk, int parent, const struct store_node *node, const char *path)
{
	const size_t size = (size_t)node->size;
	char *target = require_memory(malloc(size + 1));
	const ssize_t n = readlinkat(parent, path, target, size + 1);
	bool ok = n > 0 && (size_t)n == size;
	if (ok) {
		target[size] = '\0';
		nar_symlink(&walk->nar, target);
		ok = !walk->visitor->symlink ||
			walk->visitor->symlink(walk->context, walk, node, target);
	} else if (n < 0) {
		store_walk_failed(walk);
	} else {
		store_walk_changed(walk);
	}
	free(target);
	return ok;
}

void store_walk_content(struct store_walk *walk, const void *bytes, size_t count)
{
	nar_content(&walk->nar, bytes, count);
}

bool store_walk_read(struct store_walk *walk, int fd, uint64_t size)
{
	if (!walk->buffer)
		walk->buffer = require_memory(malloc(READ_BYTES));
	struct holes holes = holes_of(fd, size);
	for (uint64_t at = 0; at < size;) {
		const size_t part = size - at < READ_BYTES ? (size_t)(size - at) : READ_BYTES;
		if (!holes_read(&holes, walk->buffer, part, at))
			return store_walk_failed(walk);
		store_walk_content(walk, walk->buffer, part);
		at += part;
	}
	return true;
}

static bool walk_file(struct store_walk *walk, const struct store_node *node, int fd)
{
	bool ok = true;
	walk->content_bytes += node->size;
	nar_file_begin(&walk->nar, node->mode & S_IXUSR, node->size);
	if (walk->visitor->file)
		ok = walk->visitor->file(walk->context, walk, node, fd);
	else if (walk->hashed)
		ok = store_walk_read(walk, fd, node->size);
	nar_file_end(&walk->nar, node->size);
	return ok;
}

/* ---- directories ---- */

struct names {
	char **v;
	size_t n, capacity;
};

static void names_free(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->v[i]);
	free(names->v);
}

/* The first byte is the d_type of the entry; the name follows. */
static void names_add(struct names *names, const struct dirent *entry)
{
	if (names->n == names->capacity) {
		names->capacity = names->capacity ? names->capacity * 2 : 16;
		names->v = require_memory(realloc(names->v, names->capacity * sizeof *names->v));
	}
	size_t length = strlen(entry->d_name);
	char *name = require_memory(malloc(length + 2));
	name[0] = (char)entry->d_type;
	memcpy(name + 1, entry->d_name, length + 1);
	names->v[names->n++] = name;
}

static int names_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a + 1, *(char *const *)b + 1);
}

static bool names_read(DIR *stream, struct names *names)
{
	for (;;) {
		errno = 0;
		const struct dirent *entry = readdir(stream);
		if (!entry)
			break;
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			names_add(names, entry);
	}
	if (errno)
		return false;
	if (names->n)
		qsort(names->v, names->n, sizeof *names->v, names_compare);
	return true;
}

static bool walk_node(struct store_walk *walk, int at, const char *path, unsigned char kind,
	uint32_t parent, const char *name);

const char *const store_walk_left_out[] = {"dev", "proc", "run", "sys", NULL};

static bool is_left_out(const struct store_walk *walk, const struct store_node *node)
{
	if (!walk->whole || node->parent != 0 || node->number == 0)
		return false;
	for (size_t i = 0; store_walk_left_out[i]; i++)
		if (strcmp(node->name, store_walk_left_out[i]) == 0)
			return true;
	return false;
}

static bool walk_entries(
	struct store_walk *walk, int directory, const struct names *names, uint32_t number)
{
	const size_t length = walk->path.n;
	bool ok = true;
	for (size_t i = 0; ok && i < names->n; i++) {
		const char *name = names->v[i] + 1;
		buf_printf(&walk->path, "/%s", name);
		nar_entry_begin(&walk->nar, name);
		ok = walk_node(walk, directory, name, (unsigned char)names->v[i][0], number, name);
		nar_entry_end(&walk->nar);
		walk->path.n = length;
		walk->path.p[length] = '\0';
	}
	return ok;
}

static bool walk_listed(struct store_walk *walk, const struct store_node *node, int directory,
	const struct names *names)
{
	const struct store_visitor *visitor = walk->visitor;
	if (visitor->directory && !visitor->directory(walk->context, walk, node))
		return false;
	nar_directory_begin(&walk->nar);
	if (!walk_entries(walk, directory, names, node->number))
		return false;
	nar_directory_end(&walk->nar);
	return !visitor->directory_end ||
		visitor->directory_end(walk->context, walk, node, (uint32_t)names->n);
}

/* Takes ownership of `fd`. */
static bool walk_directory(struct store_walk *walk, const struct store_node *node, int fd)
{
	DIR *stream = fdopendir(fd);
	if (!stream) {
		close(fd);
		return store_walk_failed(walk);
	}
	struct names names = {0};
	const bool read = is_left_out(walk, node) || names_read(stream, &names);
	const bool ok =
		read ? walk_listed(walk, node, dirfd(stream), &names) : store_walk_failed(walk);
	closedir(stream);
	names_free(&names);
	return ok;
}

/* ---- nodes ---- */

static bool attributes_failed(const struct store_walk *walk)
{
	if (errno != E2BIG)
		return store_walk_failed(walk);
	return diag_error(walk->diag, STATUS_INPUT, NULL, "unreadable-file",
		"the extended attributes of %s are larger than an image can hold: at most %d bytes "
		"each, and %d bytes in all; remove some with setfattr -x",
		buf_text(&walk->path), ATTRIBUTE_VALUE_MAX, ATTRIBUTES_EXTENDED_MAX);
}

/* Reads the attributes of a node of a whole walk; `fd` is -1 for one that is not opened. */
static bool read_attributes(struct store_walk *walk, struct store_node *node, const struct stat *st,
	int fd, struct buf *attributes)
{
	bool acl = false;
	node->mode = st->st_mode & 07777;
	attributes_add(attributes, st);
	if (fd >= 0 && !attributes_add_extended(attributes, fd, &acl))
		return attributes_failed(walk);
	if (acl && walk->acls++ == 0)
		buf_puts(&walk->first_acl, buf_text(&walk->path));
	nar_attributes(&walk->nar, attributes->p, attributes->n);
	node->attributes = attributes;
	return true;
}

/* Takes ownership of `fd`. */
static bool walk_opened(struct store_walk *walk, struct store_node *node, int fd)
{
	BUF_CLEANUP struct buf attributes = {0};
	struct stat st;
	bool ok = true;
	if (fstat(fd, &st) != 0) {
		ok = store_walk_failed(walk);
	} else {
		node->mode = st.st_mode & 0777;
		ok = !walk->whole || read_attributes(walk, node, &st, fd, &attributes);
	}
	if (ok && S_ISDIR(st.st_mode))
		return walk_directory(walk, node, fd);
	if (ok) {
		node->size = (uint64_t)st.st_size;
		ok = S_ISREG(st.st_mode) ? walk_file(walk, node, fd) : refuse_kind(walk);
	}
	close(fd);
	return ok;
}

static bool walk_special(struct store_walk *walk, const struct store_node *node)
{
	nar_special(&walk->nar);
	return !walk->visitor->special || walk->visitor->special(walk->context, walk, node);
}

/* A node that is not opened. */
static bool walk_closed(struct store_walk *walk, struct store_node *node, const struct stat *st,
	int at, const char *path)
{
	BUF_CLEANUP struct buf attributes = {0};
	if (walk->whole && !read_attributes(walk, node, st, -1, &attributes))
		return false;
	if (S_ISLNK(st->st_mode))
		return walk_symlink(walk, at, node, path);
	node->type = st->st_mode & S_IFMT;
	return walk->whole ? walk_special(walk, node) : refuse_kind(walk);
}

/* `kind` saves a system call if the file system provides it. */
static bool walk_node(struct store_walk *walk, int at, const char *path, unsigned char kind,
	uint32_t parent, const char *name)
{
	struct stat st = {0};
	if (kind != DT_REG && kind != DT_DIR && fstatat(at, path, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return store_walk_failed(walk);
	if (walk->nodes == UINT32_MAX)
		return diag_error(walk->diag, STATUS_INPUT, NULL, "too-many-files",
			"%.*s has too many files for an image", (int)walk->root_length,
			buf_text(&walk->path));
	struct store_node node = {.name = name,
		.number = walk->nodes++,
		.parent = parent,
		.mode = 0777,
		.size = (uint64_t)st.st_size};
	if (st.st_mode && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return walk_closed(walk, &node, &st, at, path);
	/* O_NONBLOCK: does not hang if it has meanwhile become a FIFO. */
	const int fd = openat(at, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? store_walk_failed(walk) : walk_opened(walk, &node, fd);
}

bool store_walk_run(struct store_walk *walk, const char *path)
{
	buf_puts(&walk->path, path);
	walk->root_length = walk->path.n;
	nar_begin(&walk->nar, walk->hashed);
	return walk_node(walk, AT_FDCWD, path, DT_UNKNOWN, 0, path_base(path));
}

void store_walk_free(struct store_walk *walk)
{
	nar_free(&walk->nar);
	buf_free(&walk->path);
	buf_free(&walk->first_acl);
	free(walk->buffer);
	walk->buffer = NULL;
}

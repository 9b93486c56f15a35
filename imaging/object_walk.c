/* SPDX-License-Identifier: MIT */
/* object_walk: reads the tree of a store path in the order of an object's records. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "imaging/object_packing.h"

static void *memory(void *p)
{
	if (!p)
		abort();
	return p;
}

static bool pack_symlink(struct packing *p, struct diag *diag, int parent, const char *path, size_t size, struct object_record record,
			 const char *name)
{
	char *target = memory(malloc(size + 1));
	ssize_t n = readlinkat(parent, path, target, size + 1);
	bool ok = n > 0 && (size_t)n == size;
	if (ok) {
		record.type = OBJECT_SYMLINK;
		record.mode = 0777;
		record.count = (uint32_t)n;
		packing_record_begin(p, record, NULL, name);
		buf_add(&p->records, target, (size_t)n);
		packing_record_end(p);
	} else if (n < 0) {
		packing_read_failed(p, diag);
	} else {
		packing_source_changed(p, diag);
	}
	free(target);
	return ok;
}

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

/* The first byte is the kind that the directory gave, DT_REG and so on; the name follows. */
static void names_add(struct names *names, const struct dirent *entry)
{
	if (names->n == names->capacity) {
		names->capacity = names->capacity ? names->capacity * 2 : 16;
		names->v = memory(realloc(names->v, names->capacity * sizeof *names->v));
	}
	size_t length = strlen(entry->d_name);
	char *name = memory(malloc(length + 2));
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

static bool pack_node(struct packing *p, struct diag *diag, int parent, const char *path, unsigned char kind, uint32_t parent_number,
		      const char *name);

static bool pack_children(struct packing *p, struct diag *diag, int directory, const struct names *names, uint32_t number)
{
	const size_t length = p->path.n;
	const char *here = p->path.n > strlen(p->root) ? p->path.p + strlen(p->root) + 1 : "";
	const uint32_t index = (uint32_t)p->directories.n;
	vec_push(p->arena, &p->directories, arena_strdup(p->arena, here));
	for (size_t i = 0; i < names->n; i++) {
		p->directory = index;
		buf_printf(&p->path, "/%s", names->v[i] + 1);
		if (!pack_node(p, diag, directory, names->v[i] + 1, (unsigned char)names->v[i][0], number, names->v[i] + 1))
			return false;
		p->path.n = length;
		p->path.p[length] = '\0';
	}
	return true;
}

/* Takes over `fd`. */
static bool pack_directory(struct packing *p, struct diag *diag, int fd, struct object_record record, const char *name)
{
	DIR *stream = fdopendir(fd);
	if (!stream) {
		close(fd);
		return packing_read_failed(p, diag);
	}
	struct names names = {0};
	bool ok = names_read(stream, &names) || packing_read_failed(p, diag);
	ok = ok && pack_children(p, diag, dirfd(stream), &names, record.number);
	closedir(stream);
	record.type = OBJECT_DIRECTORY;
	record.count = (uint32_t)names.n;
	names_free(&names);
	if (ok) {
		packing_record_begin(p, record, NULL, name);
		packing_record_end(p);
	}
	return ok;
}

static bool refuse_kind(const struct packing *p, struct diag *diag)
{
	return diag_error(diag, STATUS_INPUT, NULL, "unknown-file-kind",
			  "%s is neither a file nor a directory nor a symbolic link; a store has no other kinds", buf_text(&p->path));
}

static bool pack_file(struct packing *p, struct diag *diag, int fd, struct object_record record, uint64_t size, const char *name)
{
	record.type = OBJECT_FILE;
	p->content_bytes += size;
	return p->add_file(p, diag, fd, record, size, name);
}

/* `path`, below `parent`, is called `name` in the image. `kind` spares a call where the file system tells it. */
static bool pack_node(struct packing *p, struct diag *diag, int parent, const char *path, unsigned char kind, uint32_t parent_number,
		      const char *name)
{
	struct stat st = {0};
	if (kind != DT_REG && kind != DT_DIR && fstatat(parent, path, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return packing_read_failed(p, diag);
	if (p->inodes == UINT32_MAX)
		return diag_error(diag, STATUS_INPUT, NULL, "too-many-files", "%s has too many files for an image", p->root);
	struct object_record record = {.parent = parent_number, .number = p->inodes++};
	if (S_ISLNK(st.st_mode))
		return pack_symlink(p, diag, parent, path, (size_t)st.st_size, record, name);
	if (st.st_mode && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return refuse_kind(p, diag);
	/* O_NONBLOCK: should it have become a fifo meanwhile, we do not hang. */
	int fd = openat(parent, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return packing_read_failed(p, diag);
	if (fstat(fd, &st) != 0) {
		close(fd);
		return packing_read_failed(p, diag);
	}
	record.mode = st.st_mode & 0777;
	if (S_ISDIR(st.st_mode))
		return pack_directory(p, diag, fd, record, name);
	bool ok = S_ISREG(st.st_mode) ? pack_file(p, diag, fd, record, (uint64_t)st.st_size, name) : refuse_kind(p, diag);
	close(fd);
	return ok;
}

bool packing_walk(struct packing *p, struct diag *diag)
{
	buf_puts(&p->path, p->root);
	bool ok = pack_node(p, diag, AT_FDCWD, p->root, DT_UNKNOWN, 0, p->identity.name);
	p->walked = ok;
	packing_walk_end(p);
	return ok;
}

/* SPDX-License-Identifier: MIT */
#include "imaging/store/attributes.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/arena.h"

enum { HEAD_WORDS = 5, NAME_BYTES_MAX = 255 };

static void add_word(struct buf *out, uint32_t word)
{
	const uint32_t little = htole32(word);
	buf_add(out, &little, sizeof little);
}

static uint32_t word_at(const unsigned char *bytes)
{
	uint32_t little;
	memcpy(&little, bytes, sizeof little);
	return le32toh(little);
}

void attributes_add(struct buf *out, const struct stat *st)
{
	const bool is_device = S_ISBLK(st->st_mode) || S_ISCHR(st->st_mode);
	add_word(out, st->st_mode);
	add_word(out, st->st_uid);
	add_word(out, st->st_gid);
	add_word(out, is_device ? major(st->st_rdev) : 0);
	add_word(out, is_device ? minor(st->st_rdev) : 0);
}

/* ---- extended attributes ---- */

struct names {
	char *text; /* each ends with a 0 byte */
	const char **v;
	size_t n;
};

static int names_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_kept(const char *name)
{
	return strncmp(name, "user.", 5) == 0 || strcmp(name, "security.capability") == 0;
}

/* Returns the length of the list; 0 if the file system has no such attributes; -1 with errno. */
static ssize_t names_list(int fd, struct names *names)
{
	ssize_t bytes = flistxattr(fd, NULL, 0);
	if (bytes < 0)
		return errno == ENOTSUP ? 0 : -1;
	names->text = require_memory(malloc((size_t)bytes + 1));
	return bytes == 0 ? 0 : flistxattr(fd, names->text, (size_t)bytes);
}

static void names_pick(struct names *names, size_t bytes, bool *acl)
{
	names->v = require_memory(calloc(bytes + 1, sizeof *names->v));
	for (size_t at = 0; at < bytes; at += strlen(names->text + at) + 1) {
		const char *name = names->text + at;
		*acl |= strncmp(name, "system.posix_acl_", strlen("system.posix_acl_")) == 0;
		if (is_kept(name))
			names->v[names->n++] = name;
	}
	if (names->n)
		qsort(names->v, names->n, sizeof *names->v, names_compare);
}

static bool add_value(struct buf *out, int fd, const char *name)
{
	const ssize_t bytes = fgetxattr(fd, name, NULL, 0);
	if (bytes < 0)
		return false;
	if (bytes > ATTRIBUTE_VALUE_MAX) {
		errno = E2BIG;
		return false;
	}
	char *value = require_memory(malloc((size_t)bytes + 1));
	const bool ok = fgetxattr(fd, name, value, (size_t)bytes) == bytes;
	if (ok) {
		add_word(out, (uint32_t)strlen(name));
		add_word(out, (uint32_t)bytes);
		buf_puts(out, name);
		buf_add(out, value, (size_t)bytes);
	}
	free(value);
	return ok;
}

bool attributes_add_extended(struct buf *out, int fd, bool *acl)
{
	struct names names = {0};
	const size_t before = out->n;
	const ssize_t bytes = names_list(fd, &names);
	bool ok = bytes >= 0;
	if (bytes > 0)
		names_pick(&names, (size_t)bytes, acl);
	for (size_t i = 0; ok && i < names.n; i++)
		ok = add_value(out, fd, names.v[i]);
	if (ok && out->n - before > ATTRIBUTES_EXTENDED_MAX) {
		errno = E2BIG;
		ok = false;
	}
	free(names.v);
	free(names.text);
	return ok;
}

/* ---- reading ---- */

bool attributes_parse(const void *bytes, size_t n, struct attributes *out)
{
	const unsigned char *words = bytes;
	if (n < HEAD_WORDS * sizeof(uint32_t))
		return false;
	*out = (struct attributes){.mode = word_at(words),
		.uid = word_at(words + 4),
		.gid = word_at(words + 8),
		.major = word_at(words + 12),
		.minor = word_at(words + 16),
		.extended = words + HEAD_WORDS * sizeof(uint32_t),
		.extended_bytes = n - HEAD_WORDS * sizeof(uint32_t)};
	return true;
}

bool attributes_next(struct attributes *attributes, struct extended_attribute *out)
{
	const unsigned char *at = attributes->extended;
	const size_t left = attributes->extended_bytes;
	if (left < 2 * sizeof(uint32_t))
		return false;
	const uint64_t name = word_at(at), value = word_at(at + 4), all = 8 + name + value;
	if (name > NAME_BYTES_MAX || value > ATTRIBUTE_VALUE_MAX || all > left)
		return false;
	*out = (struct extended_attribute){
		(const char *)at + 8, at + 8 + name, (uint32_t)name, (uint32_t)value};
	attributes->extended += all;
	attributes->extended_bytes -= all;
	return true;
}

size_t attribute_prefix(const struct extended_attribute *attribute,
	const struct attribute_prefix *prefixes, size_t count, unsigned *number)
{
	for (size_t i = 0; i < count; i++) {
		const size_t length = strlen(prefixes[i].text);
		if (attribute->name_bytes <= length ||
			memcmp(attribute->name, prefixes[i].text, length) != 0)
			continue;
		*number = prefixes[i].number;
		return length;
	}
	return 0;
}

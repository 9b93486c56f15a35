/* SPDX-License-Identifier: MIT */
/*
 * attributes: properties of a file that matter in a root file system but not in a store path: its
 * owner, all bits of its mode, its device number, its extended attributes. They are one string of
 * bytes, which is hashed with the file's contents and stored in objects; its numbers are
 * little-endian.
 */
#ifndef MVM_IMAGING_STORE_ATTRIBUTES_H
#define MVM_IMAGING_STORE_ATTRIBUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct stat;

/*
 * erofs counts the words of a file's attributes, and the bytes of a value, in 16 bits. An attribute
 * is smaller there than in the string.
 */
enum {
	ATTRIBUTE_VALUE_MAX = UINT16_MAX,
	ATTRIBUTES_EXTENDED_MAX = (UINT16_MAX - 1) * 4,
};

struct attributes {
	uint32_t mode; /* with the file type */
	uint32_t uid, gid;
	uint32_t major, minor;         /* of a device */
	const unsigned char *extended; /* for attributes_next; inside the string */
	size_t extended_bytes;
};

struct extended_attribute {
	const char *name; /* without a 0 byte: "user.comment" */
	const unsigned char *value;
	uint32_t name_bytes, value_bytes;
};

/* Appends the string of a file, without extended attributes. */
void attributes_add(struct buf *out, const struct stat *st);
/*
 * Appends the extended attributes of an open file or directory, sorted by name: user.* and
 * security.capability. Others belong to the machine that holds the tree (SELinux's labels), or
 * cannot be stored in every image; *acl is set if one of them is an access control list. False with
 * errno set: E2BIG for more than an image can hold.
 */
bool attributes_add_extended(struct buf *out, int fd, bool *acl);

/* False if the bytes are not such a string. */
bool attributes_parse(const void *bytes, size_t n, struct attributes *out);
/* Takes the next extended attribute; false at the end. */
bool attributes_next(struct attributes *attributes, struct extended_attribute *out);

/* A prefix of names that a format stores as a number. */
struct attribute_prefix {
	const char *text; /* "user." */
	unsigned number;
};

/*
 * Returns the length of the prefix that the attribute's name has, and sets *number; 0: the format
 * knows none of its prefixes, and the attribute is left out.
 */
size_t attribute_prefix(const struct extended_attribute *attribute,
	const struct attribute_prefix *prefixes, size_t count, unsigned *number);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * bundle: many small objects in one file of the cache, which is opened and read ahead at once, and
 * costs one inode.
 *
 * The file: header | objects | entries | names | days. An object has the same bytes as in a file of
 * its own and so the same protection: hashes of footer, tables and data. Entries are sorted by the
 * hash of the name. After publication only the days change, which record when each object was last
 * used. They have no hash, because a wrong day only keeps an object for a shorter or longer time.
 * Numbers are in the machine's byte order, as in objects.
 */
#ifndef MVM_IMAGING_CACHE_BUNDLE_H
#define MVM_IMAGING_CACHE_BUNDLE_H

#include "base/buf.h"
#include "imaging/cache/object.h"

enum {
	BUNDLE_OBJECT_MAX = 16 << 10, /* largest object that goes into a bundle, in bytes */
	/* approximate size of a bundle, in bytes: it is assembled in memory */
	BUNDLE_MAX = 32 << 20,
};

struct bundle_entry {
	uint64_t name_hash, footer_hash; /* copied from the object */
	uint64_t start;                  /* offset in the file */
	uint32_t bytes;
	uint32_t name; /* offset in the names, where a 0 byte ends it */
};

struct bundle_header {
	char magic[8];
	uint64_t settings_hash;
	uint64_t count, entries, names_bytes; /* `entries`: their offset */
	uint64_t entries_hash, names_hash;
	uint64_t header_hash; /* of all fields before it; stays last */
};

struct bundle {
	int fd; /* -1: closed */
	struct bundle_header header;
	struct bundle_entry *entries; /* owned */
	/* since 1970: as read, then updated as objects are used; owned */
	uint32_t *days;
	bool damaged;  /* a damaged object was found in it; set by several threads */
	char name[24]; /* of the file */
};

/* Days since 1970. */
uint32_t bundle_today(void);
/* Whether a file of this name in a directory of bundles is a bundle. */
bool bundle_is_name(const char *name);
/*
 * Takes ownership of `fd`, a regular file. False if it is not an intact bundle of objects made with
 * these settings.
 */
bool bundle_open(int fd, const char *settings, struct bundle *out);
void bundle_close(struct bundle *bundle);
/*
 * Thread-safe. False if no entry is an intact object of that identity; out->fault is then the worst
 * fault among the candidates.
 */
bool bundle_find(struct bundle *bundle, const struct object_identity *identity, struct object *out);
/* Reads only the footer of an object of that identity; the rest may be damaged. */
bool bundle_peek(const struct bundle *bundle, const struct object_identity *identity,
	struct object_footer *footer);
/* Writes the days of the objects that were used, for the garbage collector. */
void bundle_write_days(struct bundle *bundle);
/* Whether an object matches all its hashes; `names` are the bundle's. */
bool bundle_is_sound(
	const struct bundle *bundle, size_t index, const char *settings, const char *names);
/*
 * Returns all names, each ending with a 0 byte, for entry->name; NULL if they are damaged. The
 * caller frees them.
 */
char *bundle_names(const struct bundle *bundle);

/* A bundle that is being filled, in memory. */
struct bundle_writer {
	struct buf objects, entries, names, days;
};
void bundle_writer_free(struct bundle_writer *writer);
void bundle_add(struct bundle_writer *writer, uint64_t name_hash, const char *name,
	const void *object, size_t bytes, uint32_t day);
/* Copies an object with its entry; false if it cannot be read. */
bool bundle_copy(
	struct bundle_writer *writer, const struct bundle *from, size_t index, const char *names);
/*
 * Writes into the empty file `fd`. The name is derived from the contents: the same objects have the
 * same name. False with errno set.
 */
bool bundle_write(struct bundle_writer *writer, const char *settings, int fd, char name[static 24]);

#endif

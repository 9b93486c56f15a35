/* SPDX-License-Identifier: MIT */
/*
 * bundle: many small objects in one file of the cache, which is opened and read ahead at once, and
 * which costs one inode.
 *
 * The file: header | objects | entries | names | days. An object is there as it would be in a file
 * of its own, so it is as safe: footer, tables and data have their hashes. Entries are sorted by
 * the hash of the name. Once it is published, a bundle is not changed but for its days, when each
 * object was used last; they have no hash, because a wrong day only makes an object stay shorter or
 * longer. Numbers are the machine's own, as in objects.
 */
#ifndef MVM_IMAGING_CACHE_BUNDLE_H
#define MVM_IMAGING_CACHE_BUNDLE_H

#include "base/buf.h"
#include "imaging/cache/object.h"

enum {
	BUNDLE_OBJECT_MOST = 16 << 10, /* bytes of an object that goes into a bundle */
	BUNDLE_MOST = 32 << 20,        /* bytes of a bundle, about: it is written from memory */
};

struct bundle_entry {
	uint64_t name_hash, footer_hash; /* the object's own */
	uint64_t start;                  /* in the file */
	uint32_t bytes;
	uint32_t name; /* place in the names, where it ends with a 0 byte */
};

struct bundle_header {
	char magic[8];
	uint64_t settings_hash;
	uint64_t count, entries, names_bytes; /* `entries`: their place */
	uint64_t entries_hash, names_hash;
	uint64_t header_hash; /* of all before; stays last */
};

struct bundle {
	int fd; /* -1: nothing here */
	struct bundle_header header;
	struct bundle_entry *entries; /* owned */
	uint32_t *days;               /* since 1970, as they were and as objects are used; owned */
	bool damaged;                 /* an object in it was found so; by several threads */
	char name[24];                /* of the file */
};

/* Days since 1970. */
uint32_t bundle_today(void);
/* Whether a file may be called so in a directory of bundles. */
bool bundle_is_name(const char *name);
/*
 * Takes over `fd`, a regular file. False when this is not a sound bundle of objects made with these
 * settings.
 */
bool bundle_open(int fd, const char *settings, struct bundle *out);
void bundle_close(struct bundle *bundle);
/*
 * Threads may look at the same time. An object that is not sound is not there; it may be in another
 * bundle. Then out->fault says what is there instead, of the damaged and the other ones the worst.
 */
bool bundle_find(struct bundle *bundle, const struct object_identity *identity, struct object *out);
/* The footer of an object of that identity; the rest may be damaged. */
bool bundle_peek(const struct bundle *bundle, const struct object_identity *identity,
	struct object_footer *footer);
/* Writes the days of what was used, so that those who clean up see it. */
void bundle_write_days(struct bundle *bundle);
/* Whether an object is all that it was; `names` are the bundle's. */
bool bundle_is_sound(
	const struct bundle *bundle, size_t index, const char *settings, const char *names);
/* All names, terminated, for entry->name; NULL when they are damaged. The caller frees them. */
char *bundle_names(const struct bundle *bundle);

/* A bundle being filled, in memory. */
struct bundle_writer {
	struct buf objects, entries, names, days;
};
void bundle_writer_free(struct bundle_writer *writer);
void bundle_add(struct bundle_writer *writer, uint64_t name_hash, const char *name,
	const void *object, size_t bytes, uint32_t day);
/* Copies an object with its entry; false when it cannot be read. */
bool bundle_copy(
	struct bundle_writer *writer, const struct bundle *from, size_t index, const char *names);
/*
 * Writes an empty file. The name is made of the contents: the same objects have the same. False
 * with errno set.
 */
bool bundle_write(struct bundle_writer *writer, const char *settings, int fd, char name[static 24]);

#endif

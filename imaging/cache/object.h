/* SPDX-License-Identifier: MIT */
/*
 * object: one store path, compressed once. An image is linked from objects.
 *
 * The file: data | records | fragments | footer. Positions in the data count from the file's start
 * and are relocated by the linker. Data of a page or more is padded to whole pages, so that file
 * systems can share its blocks with the image; smaller data is not. Numbers are in the machine's
 * byte order: a cache is not moved to another architecture, and the footer's hash would detect it.
 */
#ifndef MVM_IMAGING_CACHE_OBJECT_H
#define MVM_IMAGING_CACHE_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stat;

enum { OBJECT_FORMAT = 3, OBJECT_PAGE = 4096 };

/* Record types, with the numbers of squashfs. */
enum {
	OBJECT_DIRECTORY = 1,
	OBJECT_FILE,
	OBJECT_SYMLINK,
	/* only in a root file system */
	OBJECT_BLOCK_DEVICE,
	OBJECT_CHARACTER_DEVICE,
	OBJECT_FIFO,
	OBJECT_SOCKET,
	/* not an inode: the attributes of the record that follows (store/attributes.h) */
	OBJECT_ATTRIBUTES = 64,
};

#define OBJECT_OWN_CONTENT 0xffffffffu
#define OBJECT_NO_FRAGMENT 0xffffffffu /* the same number as in squashfs */

/*
 * Records come in the order in which a linker wants them: the entries of a directory, sorted by
 * name, then the directory; the path itself last. A record is followed by a struct object_file if
 * it is a file, then by the name, then, at a multiple of 4, by the payload.
 */
struct object_record {
	uint8_t type; /* OBJECT_DIRECTORY, … */
	uint8_t name_length;
	uint16_t mode; /* permission bits */
	/*
	 * children of a directory, bytes of a link's target or of attributes, or 32-bit words of a
	 * file's payload
	 */
	uint32_t count;
	uint32_t number; /* of the inode, from 0; the path itself is 0 */
	uint32_t parent; /* number of the directory that contains it */
};

struct object_file {
	uint64_t size, start; /* bytes; position of its blocks in the data */
	uint64_t sparse;      /* bytes in blocks of zeros, which are not stored */
	uint64_t hash;        /* of the stored blocks */
	uint32_t fragment;    /* index, or OBJECT_NO_FRAGMENT */
	uint32_t fragment_offset;
	/* offset of the record with the same content, divided by 8, or OBJECT_OWN_CONTENT */
	uint32_t original;
	uint32_t unused;
};

struct object_fragment {
	uint64_t start, hash;
	uint32_t size_word, unused;
};

struct object_footer {
	char magic[8];
	/* of the object's name and settings */
	uint64_t name_hash;
	/* 0; older versions wrote a hash of the boot ID here */
	uint64_t unused;
	uint64_t data_bytes, tables_offset, records_bytes;
	uint64_t content_bytes; /* of all files together */
	uint32_t inodes, fragments;
	uint64_t data_hash[2], tables_hash[2]; /* XXH3-128 */
	/* settings for the image's super block that this data requires; zeros: none */
	unsigned char setup[32];
	/* of the NAR that was packed; equals the expected hash if that was known */
	char nar_hash[64];
	uint64_t footer_hash; /* of all fields before it; stays last */
};

/* The properties that an object must have. */
struct object_identity {
	const char *name;     /* base name of the store path */
	const char *settings; /* format, compressor, level, block size and library, in one word */
	const char *nar_hash; /* NULL: any */
};

/* Why the contents found in the place of an object are rejected. */
enum object_fault {
	OBJECT_FAULTLESS,
	/* intact as far as checked, but packed from files with another NAR hash */
	OBJECT_OTHER,
	OBJECT_DAMAGED,    /* its hashes or its length do not match */
	OBJECT_MISPLACED,  /* not a regular file */
	OBJECT_UNREADABLE, /* errno has the reason */
};

/* An object opened for linking. */
struct object {
	int fd;                  /* -1 if all of it is in memory */
	enum object_fault fault; /* set if it could not be opened */
	struct object_footer footer;
	unsigned char *memory; /* owned; the next three point into it */
	const unsigned char *records;
	const struct object_fragment *fragments;
	/* the data with its padding if it is in memory; NULL: in the file */
	const unsigned char *small;
};

uint64_t object_name_hash(const struct object_identity *identity);
uint64_t object_footer_hash(const struct object_footer *footer);
uint64_t object_tables_offset(uint64_t data_bytes);

/*
 * Takes ownership of `fd`, a regular file, even on failure. False if it is not an intact object of
 * that identity; out->fault has the reason. Each time, all of it is read and compared with its
 * hashes: bit rot changes neither a file's times nor its length, and objects are not synced, so a
 * crash of the machine may have lost blocks. Reading costs less than copying, and the copy then
 * comes from the pages that were checked.
 */
bool object_open(
	int fd, const struct stat *st, const struct object_identity *identity, struct object *out);
/* As object_open, for `count` bytes from malloc, of which it takes ownership, even on failure. */
bool object_open_memory(unsigned char *bytes, size_t count, const struct object_identity *identity,
	struct object *out);
/* Reads only the footer of an object of that identity; the rest may be damaged. */
bool object_read_footer(int fd, uint64_t file_bytes, const struct object_identity *identity,
	struct object_footer *footer);
/* As object_read_footer, for an object in memory. */
bool object_footer_of(const unsigned char *bytes, size_t count,
	const struct object_identity *identity, struct object_footer *footer);
/*
 * Reads all of it into memory and returns its file's descriptor, still open. False with errno set.
 */
bool object_load(struct object *object, int *fd);
/* Returns the size of the whole file. */
uint64_t object_bytes(const struct object_footer *footer);
void object_close(struct object *object);
/* Reads `count` bytes of the data; false with errno set. */
bool object_read_data(const struct object *object, void *into, size_t count, uint64_t at);

/* Walks the records: NULL starts, NULL ends (also before a record that does not fit). */
const struct object_record *object_next(
	const struct object *object, const struct object_record *record);
const struct object_file *object_record_file(const struct object_record *record);
const char *object_record_name(const struct object_record *record);
/*
 * Returns a link's target, attributes, or the layout of a file's content: block sizes for squashfs,
 * struct erofs_extents for erofs.
 */
const void *object_record_payload(const struct object_record *record);
size_t object_record_bytes(const struct object_record *record);
/*
 * Returns the record that has the content of this one, possibly itself; NULL if the object is
 * damaged.
 */
const struct object_record *object_record_original(
	const struct object *object, const struct object_record *record);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * object: one store path, compressed once and for all. An image is linked from objects.
 *
 * The file: data | records | fragments | footer. Positions in the data count from the file's start
 * and are relocated by the linker. Data of a page or more is padded to whole pages, so that file
 * systems that can share the blocks with the image; smaller data is not. Numbers are the machine's
 * own: a cache is not carried to other kinds of machines, and the footer's hash would tell.
 */
#ifndef MVM_IMAGING_CACHE_OBJECT_H
#define MVM_IMAGING_CACHE_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stat;

enum { OBJECT_FORMAT = 3, OBJECT_PAGE = 4096 };

/* Types of records; the same numbers as in squashfs. */
enum { OBJECT_DIRECTORY = 1, OBJECT_FILE, OBJECT_SYMLINK };

#define OBJECT_OWN_CONTENT 0xffffffffu
#define OBJECT_NO_FRAGMENT 0xffffffffu /* the same number as in squashfs */

/*
 * Records come in the order in which a linker wants them: what a directory holds, sorted by name,
 * then the directory; the path itself last.
 */
struct object_record {
	uint8_t type; /* OBJECT_DIRECTORY, … */
	uint8_t name_length;
	uint16_t mode; /* permission bits */
	/* children of a directory, bytes of a link's target, 32-bit words of a file's payload */
	uint32_t count;
	uint32_t number; /* of the inode, from 0; the path itself is 0 */
	uint32_t parent; /* number of the directory that holds it */
	/* A struct object_file follows if it is a file, the name, and from a multiple of 4 the
	 * payload. */
};

struct object_file {
	uint64_t size, start; /* bytes; where its blocks lie in the data */
	uint64_t sparse;      /* bytes in blocks of zeros, which are not stored */
	uint64_t hash;        /* of the stored blocks */
	uint32_t fragment;    /* index, or OBJECT_NO_FRAGMENT */
	uint32_t fragment_offset;
	/* place of the record with the same content / 8, or OBJECT_OWN_CONTENT */
	uint32_t original;
	uint32_t unused;
};

struct object_fragment {
	uint64_t start, hash;
	uint32_t size_word, unused;
};

struct object_footer {
	char magic[8];
	/* of the object's name and how it was compressed */
	uint64_t name_hash;
	/* 0; older programs wrote a hash of the boot here */
	uint64_t unused;
	uint64_t data_bytes, tables_offset, records_bytes;
	uint64_t content_bytes; /* of all files */
	uint32_t inodes, fragments;
	uint64_t data_hash[2], tables_hash[2]; /* XXH3-128 */
	/* what the image's super block must say for this data; zeros: nothing */
	unsigned char setup[32];
	/* of the NAR of what was packed, which is the known one if one is */
	char nar_hash[64];
	uint64_t footer_hash; /* of all before; stays last */
};

/* What an object must be of. */
struct object_identity {
	const char *name;     /* basename of the store path */
	const char *settings; /* format, compressor, level, block size, library: one word */
	const char *nar_hash; /* NULL: any */
};

/* Why what is in the place of an object is not taken. */
enum object_fault {
	OBJECT_FAULTLESS,
	/*
	 * sound as far as was looked, but of another build of the path: packed from files with
	 * another NAR hash
	 */
	OBJECT_OTHER,
	OBJECT_DAMAGED,    /* its hashes do not fit, or it has not its length */
	OBJECT_MISPLACED,  /* it is no regular file */
	OBJECT_UNREADABLE, /* errno says why */
};

/* An object opened for linking. */
struct object {
	int fd;                  /* -1 when all of it is in memory */
	enum object_fault fault; /* when it could not be opened */
	struct object_footer footer;
	unsigned char *memory; /* owned; the next three point into it */
	const unsigned char *records;
	const struct object_fragment *fragments;
	/* the data, with its padding, when it is in memory; else NULL: in the file */
	const unsigned char *small;
};

uint64_t object_name_hash(const struct object_identity *identity);
uint64_t object_footer_hash(const struct object_footer *footer);
uint64_t object_tables_offset(uint64_t data_bytes);

/*
 * Takes over `fd`, a regular file, also when it fails. False when this is not a sound object of
 * that identity; out->fault says what it is. All of it is read and compared with its hashes, each
 * time: a disk that rots changes neither a file's times nor its length, and objects are not synced,
 * so that a crash of the machine may have lost blocks. To read costs less than to copy, and what is
 * copied then comes from the pages that were compared.
 */
bool object_open(
	int fd, const struct stat *st, const struct object_identity *identity, struct object *out);
/* The same of `count` bytes from malloc, which it takes over, also when it fails. */
bool object_open_memory(unsigned char *bytes, size_t count, const struct object_identity *identity,
	struct object *out);
/* The footer alone, of an object of that identity; the rest may be damaged. */
bool object_read_footer(int fd, uint64_t file_bytes, const struct object_identity *identity,
	struct object_footer *footer);
/* The same of one in memory. */
bool object_footer_of(const unsigned char *bytes, size_t count,
	const struct object_identity *identity, struct object_footer *footer);
/*
 * Reads all of it into memory and gives the file back, which is not closed. False with errno set.
 */
bool object_load(struct object *object, int *fd);
/* Bytes of the whole. */
uint64_t object_bytes(const struct object_footer *footer);
void object_close(struct object *object);
/* Reads `count` bytes of the data; false with errno set. */
bool object_read_data(const struct object *object, void *into, size_t count, uint64_t at);

/* Walks the records: NULL starts, NULL ends (also in front of a record that does not fit). */
const struct object_record *object_next(
	const struct object *object, const struct object_record *record);
const struct object_file *object_record_file(const struct object_record *record);
const char *object_record_name(const struct object_record *record);
/*
 * The target, or where a file's content is: for squashfs the sizes of its blocks, for erofs struct
 * erofs_extents.
 */
const void *object_record_payload(const struct object_record *record);
size_t object_record_bytes(const struct object_record *record);
/* The record that holds the content of this one, maybe itself; NULL when the object is damaged. */
const struct object_record *object_record_original(
	const struct object *object, const struct object_record *record);

#endif

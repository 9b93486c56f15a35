/* SPDX-License-Identifier: MIT */
/*
 * store_walk: reads the tree of a store path once, both for a visitor and for its hash. The order
 * is that of its NAR: depth first, and the entries of a directory sorted by name.
 */
#ifndef MVM_IMAGING_STORE_STORE_WALK_H
#define MVM_IMAGING_STORE_STORE_WALK_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/diag.h"
#include "imaging/store/nar.h"

struct store_walk;

/* A file, directory or link that the walk reached. */
struct store_node {
	const char *name; /* in its directory, or in the store */
	/*
	 * its number, from 0 in the order of the walk; the number of its directory. The path itself
	 * is 0.
	 */
	uint32_t number, parent;
	mode_t mode;   /* permission bits */
	uint64_t size; /* of a file, or of a link's target */
	mode_t type;   /* S_IFBLK, S_IFCHR, S_IFIFO or S_IFSOCK; set for `special` alone */
	/* store/attributes.h; NULL unless the walk is whole */
	const struct buf *attributes;
};

/* Each function returns false with an error to end the walk; it may be NULL. */
struct store_visitor {
	bool (*directory)(void *context, struct store_walk *walk, const struct store_node *node);
	bool (*directory_end)(void *context, struct store_walk *walk, const struct store_node *node,
		uint32_t entries);
	bool (*symlink)(void *context, struct store_walk *walk, const struct store_node *node,
		const char *target);
	/* A device, pipe or socket, which only a whole walk accepts. */
	bool (*special)(void *context, struct store_walk *walk, const struct store_node *node);
	/*
	 * `fd` is at its start. The visitor passes the bytes that it reads to store_walk_content; a
	 * walk with a hash needs all of them.
	 */
	bool (*file)(void *context, struct store_walk *walk, const struct store_node *node, int fd);
};

struct store_walk {
	struct diag *diag;
	const struct store_visitor *visitor;
	void *context;
	bool hashed;
	/*
	 * The tree is a root file system: attributes are read, and the contents of the kernel's own
	 * directories are left out (store_walk.c).
	 */
	bool whole;
	/* The rest starts as zeros. */
	struct nar nar;
	struct buf path;        /* of the current node */
	size_t root_length;     /* of the store path at the start of `path` */
	uint32_t nodes;         /* so far */
	uint64_t content_bytes; /* of all files so far */
	unsigned char *buffer;  /* of store_walk_read */
	/* the number of files with an access control list, which is left out; the first one's path
	 */
	size_t acls;
	struct buf first_acl;
};

/*
 * False with an error (STATUS_INPUT) if something cannot be read, or is a device, socket or pipe,
 * which a store does not contain. A symbolic link `path` is not followed. Call it once for each
 * walk.
 */
bool store_walk_run(struct store_walk *walk, const char *path);
void store_walk_free(struct store_walk *walk);

/*
 * The directories of a root file system whose contents a whole walk leaves out; ends with NULL. The
 * guest mounts file systems there; this machine may have mounted its own there.
 */
extern const char *const store_walk_left_out[];

/* For visitors: adds the next bytes of the current file. */
void store_walk_content(struct store_walk *walk, const void *bytes, size_t count);
/* For visitors: reads all of the current file, without its holes, and adds it. */
bool store_walk_read(struct store_walk *walk, int fd, uint64_t size);
/* Record an error about the current node; return false. */
bool store_walk_failed(const struct store_walk *walk);
bool store_walk_changed(const struct store_walk *walk);

#endif

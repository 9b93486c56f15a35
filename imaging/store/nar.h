/* SPDX-License-Identifier: MIT */
/*
 * nar: computes the hash and size of a NAR, Nix's serialization of a tree, from its parts in order.
 */
#ifndef MVM_IMAGING_STORE_NAR_H
#define MVM_IMAGING_STORE_NAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NAR_HASH_DIGITS = 64, NAR_PENDING_BYTES = 4096 };

struct nar {
	void *digest, *marked; /* EVP_MD_CTX; NULL if only the size is wanted */
	uint64_t size;
	size_t pending; /* bytes that are not hashed yet */
	unsigned char bytes[NAR_PENDING_BYTES];
};

/* Without `hashed` only the size is computed, and contents of files may be left out. */
void nar_begin(struct nar *nar, bool hashed);
void nar_free(struct nar *nar);

/*
 * A tree is one node. Each entry of a directory contains one node; entries are sorted by the bytes
 * of their names.
 */
void nar_directory_begin(struct nar *nar);
void nar_directory_end(struct nar *nar);
void nar_entry_begin(struct nar *nar, const char *name);
void nar_entry_end(struct nar *nar);
void nar_symlink(struct nar *nar, const char *target);
/*
 * Our additions to Nix's format, for root file systems: the attributes of the node that follows,
 * and a node that is a device, pipe or socket.
 */
void nar_attributes(struct nar *nar, const void *bytes, size_t count);
void nar_special(struct nar *nar);
void nar_file_begin(struct nar *nar, bool executable, uint64_t size);
/* Called as often as needed between the two. */
void nar_content(struct nar *nar, const void *bytes, size_t count);
void nar_file_end(struct nar *nar, uint64_t size);

/* Save and restore the state of the hash, for contents that may have to be read again. */
void nar_mark(struct nar *nar);
void nar_rewind(struct nar *nar);

/* Writes SHA-256 in lower-case base 16, and a 0 byte. Nothing can be added afterwards. */
void nar_end(struct nar *nar, char hash[NAR_HASH_DIGITS + 1]);

#endif

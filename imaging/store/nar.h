/* SPDX-License-Identifier: MIT */
/*
 * nar: how Nix writes a tree as one text, its NAR, given part by part in the order of the text; of
 * it the hash and the size are kept.
 */
#ifndef MVM_IMAGING_STORE_NAR_H
#define MVM_IMAGING_STORE_NAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NAR_HASH_DIGITS = 64, NAR_PENDING_BYTES = 4096 };

struct nar {
	void *digest, *marked; /* EVP_MD_CTX; NULL when only the size is wanted */
	uint64_t size;
	size_t pending; /* bytes that are not hashed yet */
	unsigned char bytes[NAR_PENDING_BYTES];
};

/* Without `hashed` only the size is wanted: contents of files may be left out then. */
void nar_begin(struct nar *nar, bool hashed);
void nar_free(struct nar *nar);

/*
 * A tree is one node. A directory's entries hold one node each, and come in the order of their
 * names as bytes.
 */
void nar_directory_begin(struct nar *nar);
void nar_directory_end(struct nar *nar);
void nar_entry_begin(struct nar *nar, const char *name);
void nar_entry_end(struct nar *nar);
void nar_symlink(struct nar *nar, const char *target);
void nar_file_begin(struct nar *nar, bool executable, uint64_t size);
/* As often as needed between the two. */
void nar_content(struct nar *nar, const void *bytes, size_t count);
void nar_file_end(struct nar *nar, uint64_t size);

/* Goes back to the last mark, for contents that may turn out to come again. */
void nar_mark(struct nar *nar);
void nar_rewind(struct nar *nar);

/* SHA-256 in lower-case digits of base 16, and a 0 byte. Nothing can be added after. */
void nar_end(struct nar *nar, char hash[NAR_HASH_DIGITS + 1]);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * run_memo: shares work between the VMs of one run: files are read, compressed and written once. It
 * is thread-safe and does not change any output. `shared` may be NULL in all functions; then
 * nothing is shared. The input files must not change during its lifetime.
 */
#ifndef MVM_COMPILER_PLAN_RUN_MEMO_H
#define MVM_COMPILER_PLAN_RUN_MEMO_H

#include <openssl/sha.h>

#include "compiler/closure/memo.h"
#include "imaging/initrd/gzip_pieces.h"
#include "imaging/modules/modules.h"

struct shared;
struct shared *shared_new(void);
void shared_free(struct shared *shared);

/*
 * Calls modules_resolve once per distinct question. The list lives as long as `arena` and `shared`.
 */
struct module_question {
	const char *directory, *version;
	const struct pos *where;
	const struct module_wish *wishes;
	size_t nwishes;
};
bool shared_modules(struct shared *shared, struct arena *arena, struct diag *diag,
	const struct module_question *question, struct module_list *out);

/* Starts to hash a file (NULL: none) in the background, because its digest will be needed. */
void shared_expect(struct shared *shared, const char *path);
/* SHA-256 of a file. */
bool shared_digest(struct shared *shared, struct diag *diag, const char *path,
	unsigned char digest[SHA256_DIGEST_LENGTH]);

/* The memos for compressed data and for store paths read; NULL if `shared` is NULL. */
struct gzip_memo *shared_gzip(struct shared *shared);
struct closure_memo *shared_closures(struct shared *shared);

/*
 * A file that many runners contain as a hard link. shared_file calls `make` if `name` does not
 * exist in `directory` yet, and links it as `target`. `make` leaves no file behind if it fails.
 * Without `directory`, it makes the target directly.
 */
struct shared_file {
	const char *directory, *name, *target;
	bool (*make)(void *context, const char *path);
	void *context;
};
bool shared_file(struct shared *shared, struct diag *diag, const struct shared_file *file);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * run_memo: what several VMs of one run have in common is read, compressed and written once. Safe
 * for threads; no output depends on it. In all functions `shared` may be NULL: nothing is kept.
 * Nothing that is read may change while it lives.
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
 * modules_resolve, once for each different question. The list lives as long as `arena` and
 * `shared`.
 */
struct module_question {
	const char *directory, *version;
	const struct pos *where;
	const struct module_wish *wishes;
	size_t nwishes;
};
bool shared_modules(struct shared *shared, struct arena *arena, struct diag *diag,
	const struct module_question *question, struct module_list *out);

/* The digest of this file (NULL: none) will be asked for: it is made in the background. */
void shared_expect(struct shared *shared, const char *path);
/* SHA-256 of a file. */
bool shared_digest(struct shared *shared, struct diag *diag, const char *path,
	unsigned char digest[SHA256_DIGEST_LENGTH]);

/* For what is compressed, and for what is read in store paths; NULL without `shared`. */
struct gzip_memo *shared_gzip(struct shared *shared);
struct closure_memo *shared_closures(struct shared *shared);

/*
 * Where to make a file that many runners have: they get links to it. shared_file calls `make` when
 * `name` is not in `directory` yet, and links it as `target`; make leaves nothing when it fails.
 * Without `directory`, it makes the target itself.
 */
struct shared_file {
	const char *directory, *name, *target;
	bool (*make)(void *context, const char *path);
	void *context;
};
bool shared_file(struct shared *shared, struct diag *diag, const struct shared_file *file);

#endif

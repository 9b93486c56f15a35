/* SPDX-License-Identifier: MIT */
#include "compiler/plan/run_memo.h"

#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/string_map.h"

struct shared {
	struct gzip_memo *gzip;
	struct closure_memo *closures;

	pthread_mutex_t lock; /* protects files made once for several VMs, and the next fields */
	struct arena *arena;
	struct string_map questions; /* maps to indices of answers */
	VEC(struct module_list) answers;

	pthread_mutex_t digests_lock; /* protects the remaining fields */
	struct arena *digests_arena;
	struct string_map files; /* maps to indices of digests */
	VEC(const unsigned char *) digests;
	const char *expected; /* being hashed by `thread`; NULL: none */
	pthread_t thread;
};

struct shared *shared_new(void)
{
	struct arena *arena = arena_new();
	struct shared *shared = arena_alloc(arena, sizeof *shared);
	shared->arena = arena;
	shared->gzip = gzip_memo_new();
	shared->closures = closure_memo_new();
	shared->digests_arena = arena_new();
	pthread_mutex_init(&shared->lock, NULL);
	pthread_mutex_init(&shared->digests_lock, NULL);
	return shared;
}

void shared_free(struct shared *shared)
{
	if (!shared)
		return;
	if (shared->expected)
		pthread_join(shared->thread, NULL);
	gzip_memo_free(shared->gzip);
	closure_memo_free(shared->closures);
	pthread_mutex_destroy(&shared->digests_lock);
	pthread_mutex_destroy(&shared->lock);
	arena_free(shared->digests_arena);
	arena_free(shared->arena);
}

struct gzip_memo *shared_gzip(struct shared *shared)
{
	return shared ? shared->gzip : NULL;
}

struct closure_memo *shared_closures(struct shared *shared)
{
	return shared ? shared->closures : NULL;
}

/* ---- modules ---- */

static void question_text(const struct module_question *question, struct buf *text)
{
	buf_printf(text, "%s\n%s\n", question->directory ? question->directory : "",
		question->version ? question->version : "");
	for (size_t i = 0; i < question->nwishes; i++)
		buf_printf(text, "%s %d\n", question->wishes[i].name, question->wishes[i].optional);
}

static bool resolve(struct arena *arena, struct diag *diag, const struct module_question *question,
	struct module_list *out)
{
	return modules_resolve(arena, diag, question->directory, question->version, question->where,
		question->wishes, question->nwishes, out);
}

static bool modules_locked(struct shared *shared, struct diag *diag,
	const struct module_question *question, struct module_list *out)
{
	BUF_CLEANUP struct buf text = {0};
	question_text(question, &text);
	const size_t known = string_map_find(&shared->questions, buf_text(&text));
	if (known != SIZE_MAX) {
		*out = shared->answers.v[known];
		return true;
	}
	if (!resolve(shared->arena, diag, question, out))
		return false;
	string_map_set(shared->arena, &shared->questions,
		arena_strdup(shared->arena, buf_text(&text)), shared->answers.n);
	vec_push(shared->arena, &shared->answers, *out);
	return true;
}

bool shared_modules(struct shared *shared, struct arena *arena, struct diag *diag,
	const struct module_question *question, struct module_list *out)
{
	if (!shared)
		return resolve(arena, diag, question, out);
	pthread_mutex_lock(&shared->lock);
	bool ok = modules_locked(shared, diag, question, out);
	pthread_mutex_unlock(&shared->lock);
	return ok;
}

/* ---- digests ---- */

static bool digest_file(struct diag *diag, const char *path, unsigned char *digest)
{
	FILE *file = fopen(path, "re");
	if (!file)
		return diag_error(diag, STATUS_INPUT, NULL, "unreadable-file", "cannot open %s: %s",
			path, strerror(errno));
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	bool ok = hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1;
	char block[64 * 1024];
	for (size_t got; ok && (got = fread(block, 1, sizeof block, file)) > 0;)
		ok = EVP_DigestUpdate(hash, block, got) == 1;
	ok = ok && !ferror(file) && EVP_DigestFinal_ex(hash, digest, NULL) == 1;
	EVP_MD_CTX_free(hash);
	fclose(file);
	return ok ||
		diag_error(diag, STATUS_INPUT, NULL, "unreadable-file", "cannot read %s", path);
}

static bool digest_locked(
	struct shared *shared, struct diag *diag, const char *path, unsigned char *digest)
{
	const size_t known = string_map_find(&shared->files, path);
	if (known != SIZE_MAX) {
		memcpy(digest, shared->digests.v[known], SHA256_DIGEST_LENGTH);
		return true;
	}
	if (!digest_file(diag, path, digest))
		return false;
	struct arena *arena = shared->digests_arena;
	string_map_set(arena, &shared->files, arena_strdup(arena, path), shared->digests.n);
	unsigned char *kept = arena_alloc(arena, SHA256_DIGEST_LENGTH);
	vec_push(arena, &shared->digests, memcpy(kept, digest, SHA256_DIGEST_LENGTH));
	return true;
}

bool shared_digest(struct shared *shared, struct diag *diag, const char *path,
	unsigned char digest[SHA256_DIGEST_LENGTH])
{
	if (!shared)
		return digest_file(diag, path, digest);
	pthread_mutex_lock(&shared->digests_lock);
	bool ok = digest_locked(shared, diag, path, digest);
	pthread_mutex_unlock(&shared->digests_lock);
	return ok;
}

/* Errors are dropped here: shared_digest reports them to its caller. */
static void *make_expected(void *context)
{
	struct shared *shared = context;
	struct arena *arena = arena_new();
	unsigned char digest[SHA256_DIGEST_LENGTH];
	shared_digest(shared, diag_new(arena), shared->expected, digest);
	arena_free(arena);
	return NULL;
}

void shared_expect(struct shared *shared, const char *path)
{
	if (!shared || !path)
		return;
	pthread_mutex_lock(&shared->digests_lock);
	if (!shared->expected) {
		shared->expected = arena_strdup(shared->digests_arena, path);
		if (pthread_create(&shared->thread, NULL, make_expected, shared) != 0)
			shared->expected = NULL;
	}
	pthread_mutex_unlock(&shared->digests_lock);
}

/* ---- files ---- */

bool shared_file(struct shared *shared, struct diag *diag, const struct shared_file *file)
{
	if (!shared || !file->directory)
		return file->make(file->context, file->target);
	BUF_CLEANUP struct buf path = {0};
	buf_printf(&path, "%s/%s", file->directory, file->name);
	pthread_mutex_lock(&shared->lock);
	bool ok = path_exists(buf_text(&path)) || file->make(file->context, buf_text(&path));
	pthread_mutex_unlock(&shared->lock);
	return ok &&
		(link(buf_text(&path), file->target) == 0 ||
			file_copy(diag, buf_text(&path), file->target, 0444));
}

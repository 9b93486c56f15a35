/* SPDX-License-Identifier: MIT */
/* closure_fixture: a store of a few paths, and closures as text. Included after fixture.h. */
#ifndef MVM_TESTS_CLOSURE_FIXTURE_H
#define MVM_TESTS_CLOSURE_FIXTURE_H

#include "base/buf.h"
#include "compiler/closure/closure.h"
#include "compiler/closure/memo.h"
#include "imaging/store/nar_hash.h"

#define HASH_A "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define HASH_A_NIX32 "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73"
#define HASH_A_BASE64 "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
#define HASH_B "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

/*
 * $A to $D and $R are the store paths app, lib, data, other and the derivation app.drv; $a to $d
 * and $r are their base names; $S is the store directory.
 */
static inline const char *base_name(char letter)
{
	static const char *const names[] = {
		['A'] = "0a000000000000000000000000000000-app",
		['B'] = "0b000000000000000000000000000000-lib",
		['C'] = "0c000000000000000000000000000000-data",
		['D'] = "0d000000000000000000000000000000-other",
		['R'] = "0f000000000000000000000000000000-app.drv",
	};
	return (size_t)letter < countof(names) ? names[(size_t)letter] : NULL;
}

static inline const char *store_dir(struct fixture *f)
{
	return scratch_path(f, "store");
}

static inline const char *expand(struct fixture *f, const char *pattern)
{
	BUF_CLEANUP struct buf text = {0};
	for (const char *c = pattern; *c; c++) {
		const char *upper = *c == '$' ? base_name(c[1]) : NULL,
			   *lower = *c == '$' ? base_name((char)(c[1] - 32)) : NULL;
		if (*c != '$')
			buf_add(&text, c, 1);
		else if (upper)
			buf_printf(&text, "%s/%s", store_dir(f), upper);
		else
			buf_puts(&text, lower ? lower : store_dir(f));
		c += *c == '$';
	}
	return arena_strdup(f->arena, buf_text(&text));
}

static inline void put_file(struct fixture *f, const char *path, const char *pattern)
{
	const char *text = expand(f, pattern);
	unlink(path);
	assert_ok(f, file_write(f->diag, path, text, strlen(text), 0644));
}

/* app refers to itself and to lib, lib refers to data; other has no references. */
static inline void make_store(struct fixture *f)
{
	assert_ok(f, directory_make(f->diag, store_dir(f), 0755));
	assert_ok(f, directory_make(f->diag, expand(f, "$A/bin"), 0755));
	put_file(f, expand(f, "$A/bin/app"), "#! $B/bin/sh\nexec $A/bin/real\n");
	assert_ok(f, directory_make(f->diag, expand(f, "$B"), 0755));
	assert_int_equal(symlink(expand(f, "$C"), expand(f, "$B/link")), 0);
	put_file(f, expand(f, "$C"), "data\n");
	put_file(f, expand(f, "$D"), "other\n");
}

static inline int closure_setup(void **state)
{
	static const char *const variables[] = {
		"NIX_ATTRS_JSON_FILE", "NIX_BUILD_TOP", "NIX_STATE_DIR", "NIX_REMOTE"};
	if (fixture_setup(state) != 0)
		return -1;
	for (size_t i = 0; i < countof(variables); i++)
		unsetenv(variables[i]);
	make_store(*state);
	return 0;
}

/* Whether hash and size were computed from the files, because the source has no hash. */
static inline bool is_read(struct fixture *f, const struct store_path *path)
{
	char hash[NAR_HASH_DIGITS + 1];
	uint64_t size;
	return nar_hash(f->diag, path->path, hash, &size) && strcmp(hash, path->nar_hash) == 0 &&
		path->nar_size == (int64_t)size;
}

/*
 * One line per path: NAME HASH SIZE[ deriver=…][ sigs=…][ ca=…][ ultimate]: REFERENCE… The hash is
 * shortened to 8 digits; names omit the store path's hash. "read" replaces hash and size that were
 * computed from the files.
 */
static inline const char *render(struct fixture *f, const struct closure *closure)
{
	BUF_CLEANUP struct buf text = {0};
	for (size_t i = 0; i < closure->n; i++) {
		const struct store_path *path = &closure->v[i];
		if (is_read(f, path))
			buf_printf(&text, "%s read", path->name + 33);
		else
			buf_printf(&text, "%s %.8s %lld", path->name + 33, path->nar_hash,
				(long long)path->nar_size);
		if (path->deriver)
			buf_printf(&text, " deriver=%s", path_base(path->deriver) + 33);
		if (path->sigs)
			buf_printf(&text, " sigs=%s", path->sigs);
		if (path->ca)
			buf_printf(&text, " ca=%s", path->ca);
		buf_puts(&text, path->ultimate ? " ultimate:" : ":");
		for (size_t j = 0; j < path->nrefs; j++)
			buf_printf(&text, " %s", closure->v[path->refs[j]].name + 33);
		buf_puts(&text, "\n");
	}
	return arena_strdup(f->arena, buf_text(&text));
}

/*
 * Loads the closure of `root` (no root if NULL) from `file` (the default sources if NULL) and
 * checks the guarantees of closure.h.
 */
static inline bool load(struct fixture *f, const char *root, const char *file, struct closure *out)
{
	struct closure_request request = {
		.store_dir = store_dir(f), .file = file, .state_dir = scratch_path(f, "state")};
	const char *roots[] = {root};
	request.roots = (struct strings){roots, root ? 1 : 0, 1};
	*out = (struct closure){0};
	bool ok = closure_load(f->arena, f->diag, &request, out);
	for (size_t i = 0; ok && i < out->n; i++) {
		const struct store_path *path = &out->v[i];
		assert_true(i == 0 || strcmp(out->v[i - 1].path, path->path) < 0);
		assert_string_equal(path_base(path->path), path->name);
		assert_true(path->nar_hash && strlen(path->nar_hash) == 64);
		for (size_t j = 0; j < path->nrefs; j++) {
			assert_true(path->refs[j] < out->n);
			assert_true(j == 0 || path->refs[j - 1] < path->refs[j]);
		}
	}
	return ok;
}

static inline void assert_closure(
	struct fixture *f, const char *root, const char *file, const char *expected)
{
	struct closure closure;
	bool ok = load(f, root, file, &closure);
	if (!ok)
		fail_msg("%s", messages(f));
	const char *text = render(f, &closure);
	if (strcmp(text, expected) != 0)
		fail_msg("from %s: expected\n%sgot\n%s", closure.source, expected, text);
}

#endif

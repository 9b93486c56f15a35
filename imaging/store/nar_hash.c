/* SPDX-License-Identifier: MIT */
#include "imaging/store/nar_hash.h"

#include <string.h>

#include "base/nix_hash.h"
#include "imaging/store/store_walk.h"

static const struct store_visitor no_visitor;

bool nar_hash(struct diag *diag, const char *path, char hash[NAR_HASH_DIGITS + 1], uint64_t *size)
{
	struct store_walk walk = {.diag = diag, .visitor = &no_visitor, .hashed = true};
	const bool ok = store_walk_run(&walk, path);
	if (ok) {
		nar_end(&walk.nar, hash);
		*size = walk.nar.size;
	}
	store_walk_free(&walk);
	return ok;
}

bool tree_hash(struct diag *diag, const char *path, char hash[NAR_HASH_DIGITS + 1], uint64_t *size)
{
	struct store_walk walk = {
		.diag = diag, .visitor = &no_visitor, .hashed = true, .whole = true};
	const bool ok = store_walk_run(&walk, path);
	if (ok) {
		nar_end(&walk.nar, hash);
		*size = walk.nar.size;
	}
	if (ok && walk.acls)
		diag_warning(diag, NULL, "lost-attributes",
			"the access control lists of %zu files are not kept, such as that of %s",
			walk.acls, buf_text(&walk.first_acl));
	store_walk_free(&walk);
	return ok;
}

bool nar_size(struct diag *diag, const char *path, uint64_t *size)
{
	struct store_walk walk = {.diag = diag, .visitor = &no_visitor};
	const bool ok = store_walk_run(&walk, path);
	*size = walk.nar.size;
	store_walk_free(&walk);
	return ok;
}

/* Formats a hash in base 32, as Nix prints it. */
static const char *shown(const char *hash, char text[NIX_HASH_MAX_DIGITS + 1])
{
	unsigned char digest[NIX_HASH_BYTES];
	if (!nix_hash_decode(hash, digest, sizeof digest))
		return hash;
	nix32_encode(digest, sizeof digest, text);
	return text;
}

bool nar_check(struct diag *diag, const char *path, const char *known, const char *found)
{
	char wanted_text[NIX_HASH_MAX_DIGITS + 1], found_text[NIX_HASH_MAX_DIGITS + 1];
	if (!known || strcmp(known, found) == 0)
		return true;
	diag_error(diag, STATUS_INPUT, NULL, "modified-path",
		"%s was modified: its recorded hash is sha256:%s, but its files have sha256:%s",
		path, shown(known, wanted_text), shown(found, found_text));
	diag_note(diag, NULL, "modified-path", "restore it with \"nix-store --repair-path %s\"",
		path);
	return false;
}

bool nar_verify(struct diag *diag, const char *path, const char *known)
{
	char found[NAR_HASH_DIGITS + 1];
	uint64_t size;
	return !known ||
		(nar_hash(diag, path, found, &size) && nar_check(diag, path, known, found));
}

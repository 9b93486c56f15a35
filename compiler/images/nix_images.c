/* SPDX-License-Identifier: MIT */
#include "compiler/images/nix_images.h"

#include <openssl/sha.h>

#include "base/file.h"
#include "imaging/store/database.h"
#include "imaging/store/registration.h"

enum { DATABASE_BYTES = 1 << 30 };

static bool make_database(struct diag *diag, const struct plan *plan, const char *directory)
{
	return directory_make(diag, directory, 0755) &&
		nix_db_write(diag, directory, &plan->closure, plan->time);
}

/* The id is a digest of the database, so that equal databases have equal ids. */
static bool make_id(struct diag *diag, const char *directory)
{
	struct bytes database;
	unsigned char digest[SHA256_DIGEST_LENGTH];
	struct arena *arena = arena_new();
	bool ok = file_read(
		arena, diag, path_join(arena, directory, "db.sqlite"), DATABASE_BYTES, &database);
	if (ok)
		SHA256((const unsigned char *)database.p, database.n, digest);
	ok = ok &&
		file_write(diag, path_join(arena, directory, "id"),
			arena_hex(arena, digest, sizeof digest), 2 * sizeof digest, 0644);
	arena_free(arena);
	return ok;
}

bool nix_images_make(
	struct arena *arena, struct diag *diag, const struct plan *plan, const char *scratch)
{
	const struct nix_state *nix = &plan->storage->nix;
	const char *database = path_join(arena, scratch, PLAN_DATABASE);
	if (nix->database == NIX_DATABASE_REGISTRATION)
		return nix_registration_write(
			diag, path_join(arena, scratch, PLAN_REGISTRATION), &plan->closure);
	if (nix->database != NIX_DATABASE_PREBUILT)
		return true;
	return make_database(diag, plan, database) && (!nix->kept || make_id(diag, database));
}

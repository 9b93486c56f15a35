/* SPDX-License-Identifier: MIT */
#include "imaging/store/registration.h"

#include "base/buf.h"
#include "base/file.h"

/*
 * One line each: path, hash, size, deriver, number of references, references. A size of 0 means
 * that it is unknown.
 */
static void add_path(struct buf *text, const struct closure *closure, size_t index)
{
	const struct store_path *path = &closure->v[index];
	buf_printf(text, "%s\n%s\n%lld\n%s\n%zu\n", path->path, path->nar_hash,
		path->nar_size < 0 ? 0LL : (long long)path->nar_size,
		path->deriver ? path->deriver : "", path->nrefs);
	for (size_t i = 0; i < path->nrefs; i++)
		buf_printf(text, "%s\n", closure->v[path->refs[i]].path);
}

bool nix_registration_write(struct diag *diag, const char *path, const struct closure *closure)
{
	BUF_CLEANUP struct buf text = {0};
	for (size_t i = 0; i < closure->n; i++)
		add_path(&text, closure, i);
	return file_write(diag, path, buf_text(&text), text.n, 0644);
}

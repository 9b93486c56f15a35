/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "compiler/checks.h"
#include "compiler/shape.h"

enum { TAG_9P_BYTES = 31, TAG_VIRTIOFS_BYTES = 36 };

static bool translates_ids(const struct strings *arguments)
{
	for (size_t i = 0; i < arguments->n; i++)
		if (strstr(arguments->v[i], "--translate-uid") || strstr(arguments->v[i], "--translate-gid"))
			return true;
	return false;
}

static void check_share(const struct checker *checker, const struct share *share, size_t i)
{
	const struct vm *vm = checker->vm;
	bool virtiofs = strcmp(share->proto, "virtiofs") == 0;
	size_t longest = virtiofs ? TAG_VIRTIOFS_BYTES : TAG_9P_BYTES;
	const struct pos *tag = place(checker, &share->tag, &share->where), *point = place(checker, &share->mount_point, &share->where);
	if (!*share->tag || strlen(share->tag) > longest || !is_made_of(share->tag, "-_.+"))
		wrong(checker, tag, "bad-share", "shares[%zu].tag: 1 to %zu letters, digits, '-', '_', '.' and '+'", i, longest);
	if (strcmp(share->source, vm->store_dir) != 0 || strcmp(share->mount_point, vm->store_dir) != 0 || vm->store_on_disk)
		check_mount_point(checker, point, arena_printf(checker->arena, "shares[%zu]", i), share->mount_point);
	if (!*share->source || strchr(share->source, '\n'))
		wrong(checker, place(checker, &share->source, &share->where), "bad-path", "shares[%zu].source: a path on one line is needed", i);
	if (virtiofs && (!share->socket || !*share->socket || strlen(share->socket) > SOCKET_PATH_BYTES))
		wrong(checker, place(checker, &share->socket, &share->where), "bad-socket", "shares[%zu].socket: virtiofs needs a socket, of at most %d bytes", i,
		      SOCKET_PATH_BYTES);
	if (virtiofs && share->posix_acl && (translates_ids(&share->extra_args) || translates_ids(&vm->virtiofsd.extra_args)))
		wrong(checker, place(checker, &share->posix_acl, &share->where), "bad-share",
		      "shares[%zu].posixAcl: virtiofsd cannot translate ids with ACLs; set posixAcl: false", i);
}

void check_shares(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	struct claims tags = {0}, sockets = {0}, points = {0};
	for (size_t i = 0; i < vm->shares.n; i++) {
		const struct share *share = &vm->shares.v[i];
		if (!share->tag || !share->source || !share->mount_point)
			continue; /* missing options have been reported */
		check_share(checker, share, i);
		claim(checker, &tags, share->tag, &share->tag, &share->where);
		claim(checker, &points, share->mount_point, &share->mount_point, &share->where);
		if (strcmp(share->proto, "virtiofs") == 0)
			claim(checker, &sockets, share->socket, &share->socket, &share->where);
	}
	refuse_twice(checker, &tags, "share tag");
	refuse_twice(checker, &sockets, "share socket");
	refuse_twice(checker, &points, "mount point");
}

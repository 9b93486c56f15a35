/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "backends/interface/parts.h"
#include "compiler/check/check.h"
#include "compiler/describe/options.h"
#include "compiler/storage/host_store.h"

enum { TAG_9P_BYTES = 31, TAG_VIRTIOFS_BYTES = 36 };

static bool translates_ids(const struct strings *arguments)
{
	for (size_t i = 0; i < arguments->n; i++)
		if (strstr(arguments->v[i], "--translate-uid") ||
			strstr(arguments->v[i], "--translate-gid"))
			return true;
	return false;
}

static void check_dax(const struct checker *checker, const struct share *share, size_t i)
{
	const struct pos *where = check_position(checker, &share->dax, &share->where);
	if (share->proto != SHARE_VIRTIOFS)
		check_error(
			checker, where, "bad-share", "shares[%zu].dax requires proto: virtiofs", i);
	else if (share->cache == CACHE_METADATA)
		check_error(checker, where, "bad-share",
			"shares[%zu].dax: only virtiofsd supports cache: metadata", i);
	else if (check_accepted(checker, &share->read_only))
		check_read_only(checker->diag, checker->vm, i,
			"with DAX the hypervisor itself serves the share, and cannot serve it "
			"read-only");
}

static void check_share(const struct checker *checker, const struct share *share, size_t i)
{
	const struct vm *vm = checker->vm;
	bool virtiofs = share->proto == SHARE_VIRTIOFS;
	size_t longest = virtiofs ? TAG_VIRTIOFS_BYTES : TAG_9P_BYTES;
	const struct pos *tag = check_position(checker, &share->tag, &share->where),
			 *point = check_position(checker, &share->mount_point, &share->where);
	if (check_accepted(checker, &share->tag) && strlen(share->tag) > longest)
		check_error(checker, tag, "bad-share",
			"shares[%zu].tag: the tag of a %s share has at most %zu bytes", i,
			share_proto_names[share->proto], longest);
	if (check_accepted(checker, &share->mount_point) &&
		(!share_is_store(vm, share) || strcmp(share->mount_point, vm->store_dir) != 0 ||
			vm->store_on_disk))
		check_mount_point(checker, point, arena_printf(checker->arena, "shares[%zu]", i),
			share->mount_point);
	if (share->host_store && !share->read_only && check_accepted(checker, &share->read_only))
		check_error(checker, check_position(checker, &share->read_only, &share->where),
			"bad-share",
			"shares[%zu].readOnly: with false, the guest could change and delete %s of "
			"the host through %.80s; omit it, and the share is read-only",
			i, share->host_store, share->source);
	if (share->dax && check_accepted(checker, &share->dax))
		check_dax(checker, share, i);
	if (share_has_daemon(share) &&
		(!share->socket || !*share->socket || share->socket[0] == '@' ||
			strlen(share->socket) > SOCKET_PATH_BYTES))
		check_error(checker, check_position(checker, &share->socket, &share->where),
			"bad-socket",
			"shares[%zu].socket: virtiofs requires a socket path of at most %d bytes",
			i, SOCKET_PATH_BYTES);
	if (share_has_daemon(share) && share->posix_acl &&
		(translates_ids(&share->extra_args) || translates_ids(&vm->virtiofsd.extra_args)))
		check_error(checker, check_position(checker, &share->posix_acl, &share->where),
			"bad-share",
			"shares[%zu].posixAcl: virtiofsd cannot translate ids when ACLs are "
			"enabled; set posixAcl: false",
			i);
}

/*
 * Warns about options that only the other protocol has, but not about default values, which an
 * exported description spells out.
 */
static void warn_of_ignored(const struct checker *checker, const struct share *share, size_t i)
{
	bool virtiofs = share->proto == SHARE_VIRTIOFS;
	const struct {
		const char *name;
		bool wanted;
		const void *field;
	} options[] = {
		{"cache", !virtiofs && share->cache != CACHE_AUTO, &share->cache},
		{"posixAcl", !virtiofs && !share->posix_acl, &share->posix_acl},
		{"extraArgs", !share_has_daemon(share) && share->extra_args.n, &share->extra_args},
		{"socket", !share_has_daemon(share) && share->socket, &share->socket},
		{"securityModel", virtiofs && share->security_model != SECURITY_NONE,
			&share->security_model},
	};
	for (size_t k = 0; k < countof(options); k++)
		if (options[k].wanted)
			diag_warning(checker->diag,
				check_position(checker, options[k].field, &share->where), "ignored",
				"shares[%zu].%s: ignored, because a %s share%s does not have this "
				"option",
				i, options[k].name, share_proto_names[share->proto],
				share->dax ? " with DAX" : "");
}

void check_shares(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	struct claims tags = {0};
	for (size_t i = 0; i < vm->shares.n; i++) {
		const struct share *share = &vm->shares.v[i];
		if (!share->tag || !share->source || !share->mount_point)
			continue; /* missing options have been reported */
		check_share(checker, share, i);
		warn_of_ignored(checker, share, i);
		check_claim(checker, &tags, share->tag, &share->tag, &share->where);
	}
	if (checker->storage->database)
		check_claim_derived(checker, &tags, checker->storage->database->tag,
			&checker->storage->database->where);
	check_unique(checker, &tags, "share tag");
}

/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "backends/interface/parts.h"
#include "base/shape.h"
#include "compiler/runner/script.h"
#include "compiler/runner/script_text.h"
#include "compiler/storage/host_store.h"

static bool is_served(const struct plan *plan, const struct share *share)
{
	return share_has_daemon(share) && plan->lowered.accel != ACCEL_MACOS;
}

/* Whether the share is the copy of the host's Nix database, which microvm-run creates. */
static bool is_copied(const struct plan *plan, const struct share *share)
{
	return share == plan->storage->database;
}

/* Returns a line "share TAG SOCKET SOURCE READ-ONLY CACHE ACL ARGUMENT..." for each share. */
static const char *shares(struct arena *arena, const struct plan *plan)
{
	BUF_CLEANUP struct buf out = {0};
	for (size_t i = 0; i < plan->guest.nshares; i++) {
		const struct share *share = plan->guest.shares[i];
		if (!is_served(plan, share))
			continue;
		/*
		 * The host's units start the daemons before microvm-run, which fills the directory.
		 */
		if (is_copied(plan, share))
			buf_printf(&out, "%smake_directory %s", out.n ? "\n" : "",
				script_quoted(arena, share->source));
		if (is_within(plan->vm->store_dir, share->source))
			buf_printf(&out, "%sneed_files %s", out.n ? "\n" : "",
				script_quoted(arena, share->tag));
		buf_printf(&out, "%sshare %s %s %s %s %s %s", out.n ? "\n" : "",
			script_quoted(arena, share->tag), script_quoted(arena, share->socket),
			script_quoted(arena, share->source), share->read_only ? "true" : "false",
			share_cache_names[share->cache], share->posix_acl ? "true" : "false");
		if (share->extra_args.n)
			buf_printf(&out, " %s", script_words(arena, &share->extra_args));
	}
	return arena_strdup(arena, buf_text(&out));
}

/* By default, virtiofsd-run finds the VMs' group when it runs; a group that is given must exist. */
static const char *group(struct arena *arena, const struct vm *vm)
{
	if (!vm_where(vm, &vm->virtiofsd.group))
		return "find_group";
	return vm->virtiofsd.group ? arena_printf(arena, "group=(--group %s)",
					     script_quoted(arena, vm->virtiofsd.group))
				   : "";
}

/* microvm.nix's default is a text that its shell evaluates; here it is a keyword. */
static const char *threads(const struct vm *vm)
{
	return strcmp(vm->virtiofsd.thread_pool_size, "`nproc`") == 0
		? "$(nproc)"
		: vm->virtiofsd.thread_pool_size;
}

const char *script_apart(struct arena *arena, const struct plan *plan)
{
	const struct strings stores = host_store_places(arena, plan->vm);
	for (size_t i = 0; i < plan->guest.nshares; i++)
		if (!plan->guest.shares[i]->read_only)
			return arena_printf(arena, "stores=(%s)\n%s", script_words(arena, &stores),
				script_part(arena, "apart"));
	return "";
}

/* What the commands make, a check cannot expect. */
static const char *commands_before(struct arena *arena, const struct plan *plan)
{
	const char *text = script_addition(plan, "virtiofsd-run.before");
	return text ? arena_printf(arena,
			      "before() (\n%s\n)\n"
			      "if [ \"$checking\" = true ]; then exit 0; fi\n"
			      "before\n",
			      text)
		    : "";
}

/* Whether the hypervisor would let the guest write to a share that is read-only. */
static bool needs_protection(const struct plan *plan, const struct share *share)
{
	return share->read_only && (plan->backend->writable_shares || share->dax) &&
		!is_served(plan, share);
}

const char *script_protected(struct arena *arena, const struct plan *plan)
{
	for (size_t i = 0; i < plan->guest.nshares; i++)
		if (needs_protection(plan, plan->guest.shares[i]))
			return script_part(arena, "protected");
	return "";
}

const char *script_virtiofsd(struct arena *arena, const struct plan *plan)
{
	const struct vm *vm = plan->vm;
	const char *lines = shares(arena, plan);
	const struct hole holes[] = {
		{"name", script_quoted(arena, vm->host_name)},
		{"user", script_quoted(arena, vm->host_user)},
		{"package",
			script_quoted(arena, vm->virtiofsd.package ? vm->virtiofsd.package : "")},
		{"threads", threads(vm)},
		{"handles", inode_file_handles_names[vm->virtiofsd.inode_file_handles]},
		{"tells_tag", plan->backend->asks_for_tags ? "true" : "false"},
		{"extra_args", script_words(arena, &vm->virtiofsd.extra_args)},
		{"apart", script_apart(arena, plan)},
		{"place", script_part(arena, "place")},
		{"state", script_part(arena, "state")},
		{"before", commands_before(arena, plan)},
		{"shares", lines},
		{"group", group(arena, vm)},
		{NULL, NULL},
	};
	return *lines ? script_fill(arena, plan, "virtiofsd-run", holes) : NULL;
}

const char *script_share_needs(struct arena *arena, const struct plan *plan)
{
	BUF_CLEANUP struct buf out = {0};
	for (size_t i = 0; i < plan->guest.nshares; i++) {
		const struct share *share = plan->guest.shares[i];
		if (is_served(plan, share) || is_copied(plan, share))
			continue;
		const char *words = arena_printf(arena, "%s %s", script_quoted(arena, share->tag),
			script_quoted(arena, share->source));
		buf_printf(&out, "need_share %s\n", words);
		if (!share->read_only)
			buf_printf(&out, "need_apart %s\n", words);
		else if (needs_protection(plan, share))
			buf_printf(&out, "need_protected %s\n", words);
		if (plan->backend->plain_inodes || share->dax)
			buf_printf(&out, "need_one_file_system %s\n", words);
	}
	return arena_strdup(arena, buf_text(&out));
}

const char *script_share_sockets(struct arena *arena, const struct plan *plan, const char *function)
{
	BUF_CLEANUP struct buf out = {0};
	for (size_t i = 0; i < plan->guest.nshares; i++)
		if (is_served(plan, plan->guest.shares[i]))
			buf_printf(&out, "%s %s", out.n ? "" : function,
				script_quoted(arena, plan->guest.shares[i]->socket));
	if (out.n)
		buf_puts(&out, "\n");
	return arena_strdup(arena, buf_text(&out));
}

/* SPDX-License-Identifier: MIT */
#include "compiler/session/session.h"

#include <string.h>

#include "base/file.h"
#include "compiler/check/check.h"
#include "compiler/describe/bind.h"
#include "compiler/describe/defaults.h"
#include "compiler/describe/doc.h"
#include "compiler/session/set.h"
#include "compiler/storage/derive.h"

/* ---- reading ---- */

/*
 * Moves the contents of the key "microvm" to the top level, where they mean the same, before
 * anything is merged.
 */
static struct node *unwrap(struct arena *arena, struct node *description)
{
	struct node *wrapped = node_get(description, "microvm");
	if (!wrapped || (wrapped->kind != NODE_MAP && !node_is_null(wrapped)))
		return description;
	struct node *rest = node_new(arena, NODE_MAP, &description->pos);
	for (size_t i = 0; i < description->entries.n; i++)
		if (description->entries.v[i].value != wrapped)
			node_add(arena, rest, &description->entries.v[i]);
	return node_is_null(wrapped) ? rest : node_merge(arena, wrapped, rest);
}

/* Merges the documents of a file over the description. */
static bool read_description(struct session *session, const char *path, struct node **merged)
{
	struct documents documents = {0};
	const struct pos *named = session->input.named.line ? &session->input.named : NULL;
	if (!doc_read(session->arena, session->diag, named, path, &documents))
		return false;
	for (size_t i = 0; i < documents.n; i++)
		*merged =
			node_merge(session->arena, *merged, unwrap(session->arena, documents.v[i]));
	return true;
}

/* NULL after an error, because an incomplete description would cause further errors. */
static struct node *read_all(struct session *session)
{
	const struct input *input = &session->input;
	struct node *merged = input->given ? unwrap(session->arena, input->given) : NULL;
	bool ok = true;
	for (size_t i = 0; i < input->files.n; i++)
		ok &= read_description(session, input->files.v[i], &merged);
	if (!ok)
		return NULL;
	for (size_t i = 0; i < input->sets.n; i++)
		ok &= set_option(session->arena, session->diag, input->sets.v[i], &merged);
	if (input->hypervisor)
		set_hypervisor(session->arena, session->diag, input->hypervisor, &merged);
	return ok ? merged : NULL;
}

static bool refuse_host_file(struct session *session, const struct entry *vms)
{
	const struct strings *files = &session->input.files;
	if (files->n > 1)
		return diag_error(session->diag, STATUS_DESCRIPTION, &vms->key_pos, "wrong-kind",
			"this is a host file, which cannot be merged with other files; give it "
			"alone");
	return diag_error(session->diag, STATUS_DESCRIPTION, &vms->key_pos, "wrong-kind",
		"this is a host file, not the description of a VM; build it with: mvmbuild host %s",
		files->n == 1 ? files->v[0] : "FILE");
}

/* Values that do not bind are reported; the others are bound, so that they can be checked. */
static bool read_and_bind(struct session *session)
{
	const struct node *description = read_all(session);
	if (!description)
		return false;
	const struct entry *vms = node_find(description, "vms");
	if (vms && (session->input.files.n > 1 || !node_find(description, "toplevel")))
		return refuse_host_file(session, vms);
	struct vm *vm = arena_alloc(session->arena, sizeof *vm);
	struct storage *storage = arena_alloc(session->arena, sizeof *storage);
	(session->input.no_system ? vm_bind_without_system : vm_bind)(
		session->arena, session->diag, description, vm);
	vm_complete(session->arena, session->diag, vm);
	storage_derive(session->arena, vm, storage);
	session->vm = vm;
	session->storage = storage;
	return true;
}

bool session_read(struct session *session)
{
	size_t before = diag_error_count(session->diag);
	return read_and_bind(session) && diag_error_count(session->diag) == before;
}

bool session_check(struct session *session)
{
	size_t before = diag_error_count(session->diag);
	if (read_and_bind(session))
		vm_check(session->arena, session->diag, session->vm, session->storage);
	return diag_error_count(session->diag) == before;
}

bool session_plan(struct session *session)
{
	/* Mistakes in the text and in the files that it names are reported together. */
	const bool described = session_check(session);
	const bool resolved = session->vm &&
		vm_resolve(session->arena, session->diag, session->vm, &session->system);
	/* Without its system, the closure is not loaded. */
	if (session->vm && !resolved)
		plan_check_paths(session->arena, session->diag, session->vm);
	return described && resolved &&
		plan_make(session->arena, session->diag, session->vm, session->storage,
			&session->system, session->shared, settings_jobs(&session->settings),
			session->meter, &session->plan);
}

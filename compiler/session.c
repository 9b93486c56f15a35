/* SPDX-License-Identifier: MIT */
#include "compiler/session.h"

#include <string.h>

#include "compiler/base/file.h"
#include "compiler/bind.h"
#include "compiler/check.h"
#include "compiler/doc.h"

static bool read_description(struct session *session, const char *path, struct node **merged)
{
	struct bytes text;
	struct documents documents = {0};
	const char *name = strcmp(path, "-") == 0 ? "<stdin>" : path;
	if (!file_read(session->arena, session->diag, path, DOC_MAX_BYTES, &text) ||
	    !doc_parse(session->arena, session->diag, name, &text, &documents))
		return false;
	for (size_t i = 0; i < documents.n; i++)
		*merged = node_merge(session->arena, *merged, documents.v[i]);
	return true;
}

/* Lays "a.b=c" over the description: the value is YAML, the key a path of names. */
static bool apply_set(struct session *session, const char *set, struct node **merged)
{
	const char *equals = strchr(set, '=');
	const char *name = arena_printf(session->arena, "--set %.*s", equals ? (int)(equals - set) : (int)strlen(set), set);
	if (!equals || equals == set)
		return diag_error(session->diag, STATUS_USAGE, NULL, "usage", "%s: expected KEY=VALUE", name);
	struct node *value = doc_parse_value(session->arena, session->diag, name, equals + 1);
	if (!value)
		return false;
	const struct pos pos = {name, 1, 1, 1};
	for (const char *end = equals; end > set;) {
		const char *start = end;
		while (start > set && start[-1] != '.')
			start--;
		struct node *map = node_new(session->arena, NODE_MAP, &pos);
		node_set(session->arena, map, arena_strndup(session->arena, start, (size_t)(end - start)), &pos, value);
		value = map;
		end = start > set ? start - 1 : set;
	}
	*merged = node_merge(session->arena, *merged, value);
	return true;
}

/* The wrapper key says the same as its contents at the top; it goes first, so that everything else is laid over one shape. */
static struct node *unwrap(struct arena *arena, struct node *description)
{
	struct node *wrapped = node_get(description, "microvm");
	if (!wrapped || wrapped->kind != NODE_MAP)
		return description;
	struct node *rest = node_new(arena, NODE_MAP, &description->pos);
	for (size_t i = 0; i < description->entries.n; i++)
		if (description->entries.v[i].value != wrapped)
			vec_push(arena, &rest->entries, description->entries.v[i]);
	return node_merge(arena, wrapped, rest);
}

bool session_read(struct session *session)
{
	struct node *merged = NULL;
	bool ok = true;
	if (session->cli.arguments.n == 0)
		return diag_error(session->diag, STATUS_USAGE, NULL, "usage", "no description; see mvmbuild --help");
	for (size_t i = 0; i < session->cli.arguments.n; i++) {
		struct node *description = NULL;
		if (read_description(session, session->cli.arguments.v[i], &description))
			merged = node_merge(session->arena, merged, unwrap(session->arena, description));
		else
			ok = false;
	}
	for (size_t i = 0; ok && i < session->cli.sets.n; i++)
		ok = apply_set(session, session->cli.sets.v[i], &merged);
	if (ok && session->cli.hypervisor)
		ok = apply_set(session, arena_printf(session->arena, "hypervisor=%s", session->cli.hypervisor), &merged);
	return ok && vm_bind(session->arena, session->diag, merged, &session->vm);
}

bool session_check(struct session *session)
{
	/* Checks run on what was bound: a description that does not bind has said enough. */
	return session_read(session) && vm_fill(session->arena, &session->vm) && vm_check(session->arena, session->diag, &session->vm);
}

bool session_plan(struct session *session)
{
	return session_check(session) && vm_resolve(session->arena, session->diag, &session->vm, &session->system) &&
	       plan_make(session->arena, session->diag, &session->vm, &session->system, &session->plan);
}

/* SPDX-License-Identifier: MIT */
#include "compiler/session/session.h"

#include <stdint.h>
#include <string.h>

#include "base/file.h"
#include "compiler/check/check.h"
#include "compiler/describe/bind.h"
#include "compiler/describe/defaults.h"
#include "compiler/describe/doc.h"
#include "compiler/storage/store_mount.h"

/* ---- --set ---- */

/* "volumes.0.size=2G" and how far its name was followed. */
struct setting {
	struct session *session;
	const char *name; /* for messages: "--set volumes.0.size" */
	const char *text;
	size_t key_length; /* of the part before '=' */
	unsigned depth;
	struct node *value;
};

static bool no_element(
	const struct setting *setting, const struct pos *where, const struct node *list)
{
	size_t start = where->column - 1;
	const char *are = list && list->items.n
		? arena_printf(setting->session->arena, "it has 0 to %zu", list->items.n - 1)
		: "it is empty";
	return diag_error(setting->session->diag, STATUS_USAGE, where, "no-such-element",
		"the list %.*s has no element \"%.*s\"; %s", start ? (int)start - 1 : 0,
		setting->text, (int)where->width, setting->text + start, are);
}

/* The element of a list that a part of the name tells; NULL after an error. */
static struct node **find_element(
	const struct setting *setting, struct node *list, const struct pos *where)
{
	const char *digits = setting->text + where->column - 1;
	size_t number = 0;
	for (size_t i = 0; i < where->width && number < list->items.n; i++)
		number = strchr("0123456789", digits[i]) ? number * 10 + (size_t)(digits[i] - '0')
							 : SIZE_MAX;
	if (number < list->items.n)
		return &list->items.v[number];
	no_element(setting, where, list);
	return NULL;
}

/*
 * What `base` (NULL: nothing there) becomes when the rest of the name, from byte `start` on, is set
 * in it. NULL after an error.
 */
static struct node *set_inside(struct setting *setting, struct node *base, size_t start)
{
	struct arena *arena = setting->session->arena;
	if (start > setting->key_length)
		return node_merge(arena, base, setting->value);
	const char *part = setting->text + start;
	size_t left = setting->key_length - start;
	const char *dot = memchr(part, '.', left);
	size_t length = dot ? (size_t)(dot - part) : left;
	const struct pos where = {
		setting->name, 1, (unsigned)start + 1, (unsigned)(length ? length : 1)};
	if (length == 0 || setting->depth++ >= DOC_MAX_DEPTH) {
		diag_error(setting->session->diag, STATUS_USAGE, &where, "usage",
			"expected names with one dot between them");
		return NULL;
	}
	if (base && base->kind == NODE_LIST) {
		struct node *list = node_copy(arena, base),
			    **element = find_element(setting, list, &where);
		return element && (*element = set_inside(setting, *element, start + length + 1))
			? list
			: NULL;
	}
	if ((!base || node_is_null(base)) && strspn(part, "0123456789") == length) {
		no_element(setting, &where, NULL);
		return NULL;
	}
	struct node *map = base && base->kind == NODE_MAP ? node_copy(arena, base)
							  : node_new(arena, NODE_MAP, &where);
	const char *key = arena_strndup(arena, part, length);
	struct node *value = set_inside(setting, node_get(map, key), start + length + 1);
	if (value)
		node_set(arena, map, &(struct entry){key, where, value});
	return value ? map : NULL;
}

/*
 * Lays "a.0.b=c" over the description: the value is YAML, the name a path of keys and numbers of
 * elements.
 */
static bool apply_set(struct session *session, const char *text, struct node **merged)
{
	static const char wrapper[] = "microvm.";
	const char *equals = strchr(text, '=');
	size_t length = equals ? (size_t)(equals - text) : strlen(text);
	const char *name = arena_printf(
		session->arena, "--set %.*s", (int)(length < 200 ? length : 200), text);
	if (!length || !equals)
		return diag_error(session->diag, STATUS_USAGE, NULL, "usage",
			"--set %.80s: expected KEY=VALUE", text);
	diag_add_argument(session->diag, name, text);
	struct setting setting = {
		.session = session, .name = name, .text = text, .key_length = length};
	setting.value = doc_parse_value(session->arena, session->diag, name, text, length + 1);
	if (!setting.value)
		return false;
	struct node *changed = set_inside(&setting, *merged,
		strncmp(text, wrapper, strlen(wrapper)) == 0 ? strlen(wrapper) : 0);
	*merged = changed ? changed : *merged;
	return changed;
}

static void apply_hypervisor(struct session *session, const char *hypervisor, struct node **merged)
{
	const struct pos where = {"--hypervisor", 1, 1, (unsigned)strlen(hypervisor)};
	struct node *value = node_new(session->arena, NODE_SCALAR, &where);
	value->text = hypervisor;
	value->quoted = true;
	diag_add_argument(session->diag, where.file, hypervisor);
	*merged = node_copy(session->arena, *merged);
	node_set(session->arena, *merged, &(struct entry){"hypervisor", where, value});
}

/* The mounts are asked for while the system is made that mounts them: it has no path yet. */
static void apply_no_toplevel(struct session *session, struct node **merged)
{
	if (node_get(*merged, "toplevel"))
		return;
	const struct pos where = {"--mounts", 1, 1, 1};
	struct node *value = node_new(session->arena, NODE_SCALAR, &where);
	value->text = "unknown";
	*merged = node_copy(session->arena, *merged);
	node_set(session->arena, *merged, &(struct entry){"toplevel", where, value});
}

/* ---- reading ---- */

/*
 * The wrapper key says the same as its contents at the top; it goes first, so that everything else
 * is laid over one shape.
 */
static struct node *unwrap(struct arena *arena, struct node *description)
{
	struct node *wrapped = node_get(description, "microvm");
	if (!wrapped || wrapped->kind != NODE_MAP)
		return description;
	struct node *rest = node_new(arena, NODE_MAP, &description->pos);
	for (size_t i = 0; i < description->entries.n; i++)
		if (description->entries.v[i].value != wrapped)
			node_add(arena, rest, &description->entries.v[i]);
	return node_merge(arena, wrapped, rest);
}

/* Lays the documents of a file over what was read before. */
static bool read_description(struct session *session, const char *path, struct node **merged)
{
	struct bytes text;
	struct documents documents = {0};
	const char *name = strcmp(path, "-") == 0 ? "<stdin>" : path;
	if (!file_read(session->arena, session->diag, path, DOC_MAX_BYTES, &text) ||
		!doc_parse(session->arena, session->diag, name, &text, &documents))
		return false;
	for (size_t i = 0; i < documents.n; i++)
		*merged =
			node_merge(session->arena, *merged, unwrap(session->arena, documents.v[i]));
	return true;
}

/* NULL when something could not be read: all the rest would then be wrong too. */
static struct node *read_all(struct session *session)
{
	const struct cli *cli = &session->cli;
	struct node *merged = session->given ? unwrap(session->arena, session->given) : NULL;
	bool ok = true;
	for (size_t i = 0; i < cli->arguments.n; i++)
		ok &= read_description(session, cli->arguments.v[i], &merged);
	if (!ok)
		return NULL;
	for (size_t i = 0; i < cli->sets.n; i++)
		ok &= apply_set(session, cli->sets.v[i], &merged);
	if (cli->hypervisor)
		apply_hypervisor(session, cli->hypervisor, &merged);
	if (cli->mounts && merged)
		apply_no_toplevel(session, &merged);
	return ok ? merged : NULL;
}

/* Whatever does not bind, the rest is there to be checked: all mistakes are told in one run. */
static bool read_and_bind(struct session *session)
{
	const struct node *description = read_all(session);
	if (!description)
		return false;
	struct vm *vm = arena_alloc(session->arena, sizeof *vm);
	struct storage *storage = arena_alloc(session->arena, sizeof *storage);
	vm_bind(session->arena, session->diag, description, vm);
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
	return session_check(session) &&
		vm_resolve(session->arena, session->diag, session->vm, &session->system) &&
		plan_make(session->arena, session->diag, session->vm, session->storage,
			&session->system, session->shared, cli_jobs(&session->cli), &session->plan);
}

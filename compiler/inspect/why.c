/* SPDX-License-Identifier: MIT */
/*
 * why: the report of the command `why`: what keeps a path in a closure, and what would be removed
 * with it.
 */
#include <string.h>

#include "base/buf.h"
#include "base/number.h"
#include "base/printable.h"
#include "base/suggest.h"
#include "compiler/inspect/package_name.h"
#include "compiler/inspect/inspect.h"
#include "compiler/inspect/size_text.h"
#include "compiler/inspect/sizes.h"

enum { NAMES_SHOWN = 10 };

struct answer {
	struct arena *arena;
	const struct sizes *sizes;
	size_t path;
	VEC(size_t) chain;     /* from the root to the path */
	VEC(size_t) referrers; /* all paths that refer to it directly, except itself */
	VEC(size_t) goes;      /* the path and everything that only it keeps, largest first */
};

/* ---- which path is meant ---- */

/*
 * `text` is a store path or a path inside one, the last component of a store path, a package's
 * name, or a name and version.
 */
static bool is_meant(struct arena *arena, const struct store_path *path, const char *text)
{
	const size_t length = strlen(path->path);
	struct package_name package;
	if (strchr(text, '/'))
		return strncmp(text, path->path, length) == 0 &&
			(text[length] == '\0' || text[length] == '/');
	package_name_parse(arena, path->name, &package);
	return strcmp(text, path->name) == 0 || strcmp(text, package.name) == 0 ||
		(*package.version &&
			strcmp(text, arena_printf(arena, "%s-%s", package.name, package.version)) ==
				0);
}

static bool is_known(const struct strings *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->v[i], name) == 0)
			return true;
	return false;
}

/* The names of all packages in the closure, each once. */
static struct strings package_names(struct arena *arena, const struct closure *closure)
{
	struct strings names = {0};
	for (size_t i = 0; i < closure->n; i++) {
		struct package_name package;
		package_name_parse(arena, closure->v[i].name, &package);
		if (!is_known(&names, package.name))
			vec_push(arena, &names, package.name);
	}
	return names;
}

/* The names that contain the text, on one line. */
static const char *names_with(struct arena *arena, const struct strings *names, const char *text)
{
	const char *list = NULL;
	size_t n = 0;
	for (size_t i = 0; i < names->n; i++)
		if (strcasestr(names->v[i], text) && n++ < NAMES_SHOWN)
			list = list ? arena_printf(arena, "%s, %s", list, names->v[i])
				    : names->v[i];
	return n > NAMES_SHOWN ? arena_printf(arena, "%s and %zu more", list, n - NAMES_SHOWN)
			       : list;
}

static bool not_in_closure(struct session *session, const struct packed *packed, const char *text)
{
	struct arena *arena = session->arena;
	const struct strings names = package_names(arena, &packed->closure);
	const char *list = *text ? names_with(arena, &names, text) : NULL,
		   *near = list ? NULL : suggest(text, names.v, names.n);
	if (near)
		return diag_error(session->diag, STATUS_INPUT, NULL, "not-in-closure",
			"\"%s\" is not in the closure of %s; did you mean \"%s\"?", text,
			packed->name, near);
	diag_error(session->diag, STATUS_INPUT, NULL, "not-in-closure",
		"\"%s\" is not in the closure of %s", text, packed->name);
	if (list)
		diag_note(session->diag, NULL, "not-in-closure",
			"these packages have it in their names: %s", list);
	return false;
}

static bool find_path(struct session *session, const struct packed *packed, const char *text,
	size_t *out, bool *absent)
{
	VEC(size_t) found = {0};
	for (size_t i = 0; i < packed->closure.n; i++)
		if (is_meant(session->arena, &packed->closure.v[i], text))
			vec_push(session->arena, &found, i);
	if (found.n == 1) {
		*out = found.v[0];
		return true;
	}
	if ((*absent = found.n == 0))
		return not_in_closure(session, packed, text);
	diag_error(session->diag, STATUS_USAGE, NULL, "ambiguous-path",
		"\"%s\" matches %zu paths; give the full path", text, found.n);
	for (size_t i = 0; i < found.n; i++)
		diag_note(session->diag, NULL, "ambiguous-path", "%s",
			packed->closure.v[found.v[i]].path);
	return false;
}

/* ---- the answer ---- */

static void find_chain(struct answer *answer)
{
	const size_t *referrer = answer->sizes->graph.referrer,
		     n = answer->sizes->packed->closure.n;
	for (size_t i = answer->path; i != n; i = referrer[i])
		vec_push(answer->arena, &answer->chain, i);
	for (size_t i = 0, j = answer->chain.n - 1; i < j; i++, j--) {
		const size_t swap = answer->chain.v[i];
		answer->chain.v[i] = answer->chain.v[j];
		answer->chain.v[j] = swap;
	}
}

static void find_referrers(struct answer *answer)
{
	const struct closure *closure = &answer->sizes->packed->closure;
	for (size_t i = 0; i < closure->n; i++)
		for (size_t j = 0; j < closure->v[i].nrefs; j++)
			if (closure->v[i].refs[j] == answer->path && i != answer->path) {
				vec_push(answer->arena, &answer->referrers, i);
				break;
			}
}

static void find_going(struct answer *answer)
{
	const struct graph *graph = &answer->sizes->graph;
	const size_t n = answer->sizes->packed->closure.n;
	bool *goes = arena_alloc(answer->arena, n + 1);
	goes[answer->path] = true;
	for (size_t i = n; i-- > 0;)
		goes[graph->order[i]] |= goes[graph->dominator[graph->order[i]]];
	for (size_t i = 0; i < n; i++)
		if (goes[answer->sizes->by_size[i]])
			vec_push(answer->arena, &answer->goes, answer->sizes->by_size[i]);
}

/* ---- as text and JSON ---- */

static const char *path_text(const struct answer *answer, size_t path)
{
	return printable_text(answer->arena, answer->sizes->packed->closure.v[path].path);
}

static void print_answer(struct buf *out, const struct answer *answer)
{
	const struct sizes *sizes = answer->sizes;
	const struct path_size *size = &sizes->paths[answer->path];
	const size_t kept_by = sizes->graph.dominator[answer->path];
	for (size_t i = 0; i < answer->chain.n; i++)
		buf_printf(out, "%*s%s\n", (int)(2 * i), "", path_text(answer, answer->chain.v[i]));
	buf_printf(out, "\nreferred to by %zu%s\n", answer->referrers.n,
		answer->referrers.n ? ":" : "");
	for (size_t i = 0; i < answer->referrers.n; i++)
		buf_printf(out, "  %s\n", path_text(answer, answer->referrers.v[i]));
	if (kept_by != sizes->packed->closure.n)
		buf_printf(out, "reached only through: %s\n", path_text(answer, kept_by));
	buf_printf(out, "\nremoving it saves %s raw, %s compressed, in %zu of %zu store path%s:\n",
		size_text(answer->arena, size->alone.raw),
		stored_text(answer->arena, sizes, &size->alone), answer->goes.n,
		sizes->packed->closure.n, plural(sizes->packed->closure.n));
	for (size_t i = 0; i < answer->goes.n; i++) {
		const struct size *own = &sizes->paths[answer->goes.v[i]].own;
		buf_printf(out, "%10s %11s  %s\n", size_text(answer->arena, own->raw),
			stored_text(answer->arena, sizes, own),
			path_text(answer, answer->goes.v[i]));
	}
}

static struct json_object *paths_json(const struct answer *answer, const size_t *v, size_t n)
{
	struct json_object *array = json_object_new_array();
	for (size_t i = 0; i < n; i++)
		json_object_array_add(
			array, json_object_new_string(answer->sizes->packed->closure.v[v[i]].path));
	return array;
}

static struct json_object *answer_json(const struct answer *answer)
{
	const struct sizes *sizes = answer->sizes;
	const struct size *alone = &sizes->paths[answer->path].alone;
	const struct closure *closure = &sizes->packed->closure;
	const size_t kept_by = sizes->graph.dominator[answer->path];
	struct json_object *object = json_object_new_object();
	json_object_object_add(
		object, "path", json_object_new_string(closure->v[answer->path].path));
	json_object_object_add(
		object, "chain", paths_json(answer, answer->chain.v, answer->chain.n));
	json_object_object_add(
		object, "referrers", paths_json(answer, answer->referrers.v, answer->referrers.n));
	json_object_object_add(object, "keptBy",
		kept_by < closure->n ? json_object_new_string(closure->v[kept_by].path) : NULL);
	json_object_object_add(object, "aloneSize", json_object_new_uint64(alone->raw));
	json_object_object_add(object, "aloneCompressedSize",
		sizes->packed->on_disk && alone->unknown == 0
			? json_object_new_uint64(alone->stored)
			: NULL);
	json_object_object_add(object, "estimated", json_object_new_boolean(sizes->estimated));
	json_object_object_add(object, "alone", paths_json(answer, answer->goes.v, answer->goes.n));
	return object;
}

bool inspect_why(struct session *session, const char *path, struct inspection *report)
{
	BUF_CLEANUP struct buf text = {0};
	struct packed packed;
	struct sizes sizes;
	struct answer answer = {.arena = session->arena, .sizes = &sizes};
	if (!packed_load(session, &packed))
		return false;
	report->name = packed.name;
	if (!find_path(session, &packed, path, &answer.path, &report->absent))
		return false;
	sizes_make(session->arena, &packed, &sizes);
	find_chain(&answer);
	find_referrers(&answer);
	find_going(&answer);
	if (report->wants_json) {
		report->json = answer_json(&answer);
		return true;
	}
	print_answer(&text, &answer);
	report->text = arena_strdup(session->arena, buf_text(&text));
	return true;
}

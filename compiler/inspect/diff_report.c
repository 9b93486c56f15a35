/* SPDX-License-Identifier: MIT */
#include <json-c/json.h>
#include <string.h>

#include "base/number.h"
#include "base/printable.h"
#include "compiler/inspect/diff.h"
#include "compiler/inspect/size_text.h"

/* ---- text ---- */

static void print_package(struct arena *arena, const struct package_change *change)
{
	const char *name = printable_text(arena, change->name),
		   *before = printable_text(arena, change->before),
		   *after = printable_text(arena, change->after);
	const char *size = size_change_text(arena, change->size_change);
	switch (change->kind) {
	case PACKAGE_ADDED:
		printf("  + %s%s%s, %s\n", name, *after ? " " : "", after, size);
		break;
	case PACKAGE_REMOVED:
		printf("  - %s%s%s, %s\n", name, *before ? " " : "", before, size);
		break;
	case PACKAGE_VERSION:
		printf("  %s: %s -> %s, %s\n", name, *before ? before : "no version",
			*after ? after : "no version", size);
		break;
	case PACKAGE_REBUILT:
		printf("  %s%s%s: rebuilt, %s\n", name, *after ? " " : "", after, size);
		break;
	}
}

static void print_closure(struct arena *arena, const struct diff *diff)
{
	const struct closure_diff *closure = &diff->closure;
	if (closure->packages.n == 0)
		return;
	printf("closure: %zu -> %zu store path%s, %s -> %s (%s)\n", closure->before.paths,
		closure->after.paths, plural(closure->after.paths),
		size_text(arena, closure->before.raw), size_text(arena, closure->after.raw),
		size_change_text(arena, (int64_t)(closure->after.raw - closure->before.raw)));
	for (size_t i = 0; i < closure->packages.n; i++)
		print_package(arena, &closure->packages.v[i]);
}

static bool is_empty(struct json_object *value)
{
	return json_object_is_type(value, json_type_null) ||
		(json_object_is_type(value, json_type_array) &&
			json_object_array_length(value) == 0) ||
		(json_object_is_type(value, json_type_object) &&
			json_object_object_length(value) == 0);
}

static const char *member_text(struct arena *arena, struct json_object *value);

/* "image data.img, size 64" */
static const char *map_text(struct arena *arena, struct json_object *map)
{
	const char *words = "";
	json_object_object_foreach(map, key, value)
	{
		if (is_empty(value))
			continue;
		words = arena_printf(arena, "%s%s%s %s", words, *words ? ", " : "", key,
			member_text(arena, value));
	}
	return words;
}

/* A value in a map, without quotes. */
static const char *member_text(struct arena *arena, struct json_object *value)
{
	if (json_object_is_type(value, json_type_object))
		return arena_printf(arena, "(%s)", map_text(arena, value));
	if (!json_object_is_type(value, json_type_array))
		return value ? arena_strdup(arena, json_object_get_string(value)) : "null";
	const char *list = "";
	for (size_t i = 0; i < json_object_array_length(value); i++)
		list = arena_printf(arena, "%s%s%s", list, i ? " " : "",
			member_text(arena, json_object_array_get_idx(value, i)));
	return list;
}

/* Returns a map or list, such as a volume, in words; other texts unchanged. */
static const char *in_words(struct arena *arena, const char *text)
{
	struct json_object *value = strchr("{[", *text) ? json_tokener_parse(text) : NULL;
	const char *words = text;
	if (json_object_is_type(value, json_type_object))
		words = map_text(arena, value);
	else if (json_object_is_type(value, json_type_array))
		words = member_text(arena, value);
	json_object_put(value);
	return words;
}

/* The text of a value for the terminal. */
static const char *value_text(struct arena *arena, const char *value)
{
	return printable_text(arena, in_words(arena, value));
}

static void print_change(struct arena *arena, const struct change *change)
{
	const char *what = printable_text(arena, change->what), *colon = *what ? ": " : "";
	const char *one = change->before ? change->before : change->after;
	if (change->before && change->after && !*change->before && !*change->after)
		printf("  %s differs\n", what);
	else if (change->before && change->after)
		printf("  %s%s%s -> %s\n", what, colon, value_text(arena, change->before),
			value_text(arena, change->after));
	else
		printf("  %c %s%s%s\n", change->before ? '-' : '+', what, *one ? colon : "",
			value_text(arena, one));
}

/* Groups the changes by area; areas keep the order of their first change. */
static void print_changes(struct arena *arena, const struct diff *diff)
{
	bool *done = arena_alloc(arena, diff->changes.n + 1);
	for (size_t i = 0; i < diff->changes.n; i++) {
		if (done[i])
			continue;
		printf("%s:\n", printable_text(arena, diff->changes.v[i].area));
		for (size_t j = i; j < diff->changes.n; j++)
			if (!done[j] &&
				strcmp(diff->changes.v[i].area, diff->changes.v[j].area) == 0) {
				print_change(arena, &diff->changes.v[j]);
				done[j] = true;
			}
	}
}

void diff_print(struct arena *arena, const struct diff *diff)
{
	if (diff->closure.packages.n == 0 && diff->changes.n == 0) {
		puts("no difference");
		return;
	}
	print_closure(arena, diff);
	if (diff->before->disk_bytes != diff->after->disk_bytes)
		printf("size of the store disk: %s -> %s\n",
			size_text(arena, diff->before->disk_bytes),
			size_text(arena, diff->after->disk_bytes));
	print_changes(arena, diff);
	printf("reboot: %s", diff->reasons.n ? "yes: " : "no");
	for (size_t i = 0; i < diff->reasons.n; i++)
		printf("%s%s", i ? ", " : "", printable_text(arena, diff->reasons.v[i]));
	putchar('\n');
}

/* ---- JSON ---- */

static void set(struct json_object *object, const char *key, struct json_object *value)
{
	json_object_object_add(object, key, value);
}

static void set_text(struct json_object *object, const char *key, const char *text)
{
	set(object, key, text ? json_object_new_string(text) : NULL);
}

static struct json_object *side_json(const struct manifest *manifest, size_t paths, uint64_t raw)
{
	struct json_object *object = json_object_new_object();
	set_text(object, "runner", manifest->runner);
	set_text(object, "name", manifest->host_name);
	set(object, "paths", json_object_new_uint64(paths));
	set(object, "narSize", json_object_new_uint64(raw));
	set(object, "storeDiskSize",
		manifest->disk ? json_object_new_uint64(manifest->disk_bytes) : NULL);
	return object;
}

static struct json_object *packages_json(const struct closure_diff *closure)
{
	static const char *const kinds[] = {[PACKAGE_ADDED] = "added",
		[PACKAGE_REMOVED] = "removed",
		[PACKAGE_VERSION] = "version",
		[PACKAGE_REBUILT] = "rebuilt"};
	struct json_object *array = json_object_new_array();
	for (size_t i = 0; i < closure->packages.n; i++) {
		const struct package_change *change = &closure->packages.v[i];
		struct json_object *object = json_object_new_object();
		set_text(object, "name", change->name);
		set_text(object, "kind", kinds[change->kind]);
		set_text(object, "before", change->before);
		set_text(object, "after", change->after);
		set(object, "sizeChange", json_object_new_int64(change->size_change));
		json_object_array_add(array, object);
	}
	return array;
}

static struct json_object *changes_json(const struct diff *diff)
{
	struct json_object *array = json_object_new_array();
	for (size_t i = 0; i < diff->changes.n; i++) {
		const struct change *change = &diff->changes.v[i];
		struct json_object *object = json_object_new_object();
		set_text(object, "area", change->area);
		set_text(object, "what", change->what);
		set_text(object, "before", change->before);
		set_text(object, "after", change->after);
		set(object, "reboot", json_object_new_boolean(change->reboot));
		json_object_array_add(array, object);
	}
	return array;
}

struct json_object *diff_json(const struct diff *diff)
{
	struct json_object *object = json_object_new_object(), *reasons = json_object_new_array();
	for (size_t i = 0; i < diff->reasons.n; i++)
		json_object_array_add(reasons, json_object_new_string(diff->reasons.v[i]));
	set(object, "same",
		json_object_new_boolean(diff->closure.packages.n == 0 && diff->changes.n == 0));
	set(object, "reboot", json_object_new_boolean(diff->reasons.n != 0));
	set(object, "reasons", reasons);
	set(object, "before",
		side_json(diff->before, diff->closure.before.paths, diff->closure.before.raw));
	set(object, "after",
		side_json(diff->after, diff->closure.after.paths, diff->closure.after.raw));
	set(object, "packages", packages_json(&diff->closure));
	set(object, "changes", changes_json(diff));
	return object;
}

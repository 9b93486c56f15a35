/* SPDX-License-Identifier: MIT */
/* diff: the command `diff`; compares the plans and decides whether a reboot is needed. */
#include "compiler/inspect/diff.h"

#include <string.h>

#include "compiler/inspect/json_diff.h"
#include "compiler/plan/report.h"
#include "compiler/inspect/inspect.h"

/*
 * Titles for the plan's keys. A key that is not listed is its own title, and its changes need a
 * reboot.
 */
static const struct {
	const char *key, *area;
	bool reboot;
} areas[] = {
	{"command", "command line", true},
	{"config", "configuration", true},
	{"init", "init", true},
	{"initrd", "initrd", true},
	{"kernel", "kernel", true},
	{"kernelParams", "kernel parameters", true},
	{"modules", "modules", true},
	{"nixState", "Nix database", true},
	{"shutdown", "shutdown", false},
};

/* ---- the plan ---- */

static bool begins_option(const char *word)
{
	if (strncmp(word, "{kvm}", 5) == 0 || strncmp(word, "{tcg}", 5) == 0)
		word += 5;
	return word[0] == '-' && word[1];
}

/* Joins an option and its value, so that they are shown as one change. */
static struct json_object *join_options(struct arena *arena, struct json_object *command)
{
	struct json_object *joined = json_object_new_array();
	const char *option = NULL;
	for (size_t i = 0; i < json_object_array_length(command); i++) {
		const char *text = json_object_get_string(json_object_array_get_idx(command, i)),
			   *word = text ? text : "null";
		if (option && !begins_option(word)) {
			json_object_array_add(joined,
				json_object_new_string(arena_printf(arena, "%s %s", option, word)));
			option = NULL;
			continue;
		}
		if (option)
			json_object_array_add(joined, json_object_new_string(option));
		option = begins_option(word) ? word : NULL;
		if (!option)
			json_object_array_add(joined, json_object_new_string(word));
	}
	if (option)
		json_object_array_add(joined, json_object_new_string(option));
	return joined;
}

/* A configuration file whose text is JSON is compared as JSON. */
static struct json_object *parse_config(struct json_object *config)
{
	struct json_object *text = json_object_object_get(config, "text");
	struct json_object *parsed = json_object_is_type(text, json_type_string)
		? json_tokener_parse(json_object_get_string(text))
		: NULL;
	return parsed ? parsed : json_object_get(config);
}

/* Returns the form in which a value is compared; the caller releases it. */
static struct json_object *value_of(struct arena *arena, const char *key, struct json_object *value)
{
	if (strcmp(key, "command") == 0 && json_object_is_type(value, json_type_array))
		return join_options(arena, value);
	if (strcmp(key, "config") == 0 && json_object_is_type(value, json_type_object))
		return parse_config(value);
	return json_object_get(value);
}

static void diff_value(struct arena *arena, struct diff *diff, const char *key,
	struct json_object *before, struct json_object *after)
{
	struct json_object *a = value_of(arena, key, before), *b = value_of(arena, key, after);
	struct json_changes changes = {0};
	struct change change = {.area = arena_strdup(arena, key), .reboot = true};
	for (size_t i = 0; i < countof(areas); i++)
		if (strcmp(key, areas[i].key) == 0)
			change = (struct change){.area = areas[i].area, .reboot = areas[i].reboot};
	json_diff(arena, "", a, b, &changes);
	for (size_t i = 0; i < changes.n; i++) {
		change.what = changes.v[i].where;
		change.before = changes.v[i].before;
		change.after = changes.v[i].after;
		vec_push(arena, &diff->changes, change);
	}
	json_object_put(a);
	json_object_put(b);
}

static void diff_plan(struct arena *arena, struct diff *diff)
{
	struct json_object *before = diff->before->plan, *after = diff->after->plan;
	json_object_object_foreach(before, key, value)
		diff_value(arena, diff, key, value, json_object_object_get(after, key));
	json_object_object_foreach(
		after, new_key, new_value) if (!json_object_object_get_ex(before, new_key, NULL))
		diff_value(arena, diff, new_key, NULL, new_value);
}

/* ---- the rest ---- */

/*
 * These changes need no reboot of their own: those that affect the guest also change the plan, a
 * script or an image.
 */
static void diff_description(struct arena *arena, struct diff *diff)
{
	struct json_changes changes = {0};
	json_diff(arena, "", diff->before->description, diff->after->description, &changes);
	for (size_t i = 0; i < changes.n; i++)
		vec_push(arena, &diff->changes,
			(struct change){"description", changes.v[i].where, changes.v[i].before,
				changes.v[i].after, false});
}

static void add_reason(struct arena *arena, struct diff *diff, const char *area)
{
	for (size_t i = 0; i < diff->reasons.n; i++)
		if (strcmp(diff->reasons.v[i], area) == 0)
			return;
	vec_push(arena, &diff->reasons, area);
}

static void judge(struct arena *arena, struct diff *diff)
{
	if (diff->closure.packages.n)
		add_reason(arena, diff, "closure");
	for (size_t i = 0; i < diff->changes.n; i++)
		if (diff->changes.v[i].reboot)
			add_reason(arena, diff, diff->changes.v[i].area);
}

static bool compare(struct arena *arena, struct diag *diag, struct diff *diff)
{
	closure_diff(arena, &diff->before->closure, &diff->after->closure, &diff->closure);
	diff_plan(arena, diff);
	if (!files_diff(arena, diag, diff))
		return false;
	diff_description(arena, diff);
	judge(arena, diff);
	return true;
}

static void report(struct arena *arena, const struct diff *diff, bool json)
{
	if (!json) {
		diff_print(arena, diff);
		return;
	}
	struct json_object *object = diff_json(diff);
	fputs(report_text(arena, object), stdout);
	json_object_put(object);
}

bool inspect_diff(struct arena *arena, struct diag *diag, const char *before, const char *after,
	bool json, bool *differ)
{
	struct manifest old = {0}, new = {0};
	struct diff diff = {.before = &old, .after = &new};
	bool ok = manifest_read(arena, diag, before, &old);
	ok &= manifest_read(arena, diag, after, &new);
	ok = ok && compare(arena, diag, &diff);
	if (ok)
		report(arena, &diff, json);
	*differ = diff.changes.n || diff.closure.packages.n;
	manifest_free(&old);
	manifest_free(&new);
	return ok;
}

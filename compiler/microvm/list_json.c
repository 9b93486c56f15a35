/* SPDX-License-Identifier: MIT */
/* list_json: the list for programs. */
#include <json-c/json.h>
#include <stdio.h>
#include <time.h>

#include "base/json_line.h"
#include "compiler/microvm/list.h"
#include "compiler/plan/report.h"

static void add_text(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, text ? json_line_text(text) : NULL);
}

static struct json_object *json_product(const struct product *product)
{
	struct json_object *object = json_object_new_object();
	add_text(object, "runner", product->target);
	add_text(object, "system", product->system);
	add_text(object, "fingerprint", product->fingerprint);
	return object;
}

/* In seconds since 1970; NULL: the unit was never started. */
static struct json_object *json_since(const struct unit *unit)
{
	struct timespec now, monotonic;
	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_MONOTONIC, &monotonic);
	return unit->since_us ? json_object_new_int64((int64_t)now.tv_sec - monotonic.tv_sec +
					(int64_t)(unit->since_us / 1000000))
			      : NULL;
}

static struct json_object *json_left(const struct left *left)
{
	struct json_object *object = json_object_new_object(), *files = json_object_new_array();
	add_text(object, "name", left->name);
	add_text(object, "directory", left->directory);
	for (size_t i = 0; i < left->files.n; i++)
		json_object_array_add(files, json_line_text(left->files.v[i]));
	json_object_object_add(object, "files", files);
	return object;
}

static struct json_object *json_row(const struct row *row)
{
	static const char *const kinds[] = {[SOURCE_UNKNOWN] = NULL,
		[SOURCE_DECLARED] = "declared",
		[SOURCE_DESCRIPTION] = "description",
		[SOURCE_FLAKE] = "flake"};
	struct json_object *object = json_object_new_object();
	add_text(object, "name", row->machine.name);
	add_text(object, "state", row_state_names[row->state]);
	json_object_object_add(object, "running",
		json_object_new_boolean(unit_is_active(&row->unit) || row->by_hand));
	add_text(object, "activity", row_activity(row));
	json_object_object_add(object, "since", json_since(&row->unit));
	json_object_object_add(
		object, "restarts", json_object_new_int64((int64_t)row->unit.restarts));
	json_object_object_add(
		object, "startsAtBoot", json_object_new_boolean(row_is_enabled(row)));
	add_text(object, "failure", row->failure);
	json_object_object_add(object, "byHand", json_object_new_boolean(row->by_hand != NULL));
	add_text(object, "paused", row->paused);
	add_text(object, "sourceKind", kinds[row->source.kind]);
	add_text(object, "source", row->source.text);
	json_object_object_add(object, "current", json_product(&row->current));
	json_object_object_add(
		object, "booted", row->machine.booted ? json_product(&row->booted) : NULL);
	json_object_object_add(object, "wanted", json_product(&row->wanted));
	add_text(object, "old", row->machine.old);
	add_text(object, "problem", row->problem);
	return object;
}

void list_print_json(const struct host *host, const struct row *rows, size_t count,
	const struct left *left, size_t nleft, const struct strings *dangling)
{
	struct json_object *report = json_object_new_object(), *vms = json_object_new_array(),
			   *kept = json_object_new_array(), *roots = json_object_new_array();
	for (size_t i = 0; i < count; i++)
		json_object_array_add(vms, json_row(&rows[i]));
	for (size_t i = 0; i < nleft; i++)
		json_object_array_add(kept, json_left(&left[i]));
	for (size_t i = 0; i < dangling->n; i++)
		json_object_array_add(roots, json_line_text(dangling->v[i]));
	json_object_object_add(report, "vms", vms);
	json_object_object_add(report, "kept", kept);
	json_object_object_add(report, "danglingRoots", roots);
	fputs(report_text(host->arena, report), stdout);
	json_object_put(report);
}

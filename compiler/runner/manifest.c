/* SPDX-License-Identifier: MIT */
#include "compiler/runner/manifest.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "compiler/plan/report.h"
#include "compiler/storage/storage.h"
#include "imaging/store/nar_hash.h"

static void set(struct json_object *object, const char *key, struct json_object *value)
{
	json_object_object_add(object, key, value);
}

static void set_text(struct json_object *object, const char *key, const char *text)
{
	set(object, key, text ? json_object_new_string(text) : NULL);
}

/* ---- from the plan ---- */

struct strings plan_packed(struct arena *arena, const struct plan *plan)
{
	struct strings packed = {0};
	vec_push(arena, &packed, plan->system.toplevel);
	strings_add(arena, &packed, plan->vm->store_paths.v, plan->vm->store_paths.n);
	return packed;
}

static bool is_in(const char *path, const char *store_path)
{
	size_t length = strlen(store_path);
	return strncmp(path, store_path, length) == 0 &&
		(path[length] == '\0' || path[length] == '/');
}

size_t *closure_roots(
	struct arena *arena, const struct closure *closure, const struct strings *roots, size_t *n)
{
	size_t *found = arena_alloc(arena, (roots->n + 1) * sizeof *found);
	*n = 0;
	for (size_t i = 0; i < roots->n; i++)
		for (size_t j = 0; j < closure->n; j++)
			if (is_in(roots->v[i], closure->v[j].path))
				found[(*n)++] = j;
	return found;
}

bool closure_measure(
	struct arena *arena, struct diag *diag, const struct closure *closure, struct closure *out)
{
	struct store_path *paths = arena_alloc(arena, (closure->n + 1) * sizeof *paths);
	for (size_t i = 0; i < closure->n; i++) {
		uint64_t size;
		paths[i] = closure->v[i];
		if (paths[i].nar_size >= 0)
			continue;
		if (!nar_size(diag, paths[i].path, &size))
			return false;
		paths[i].nar_size = (int64_t)size;
	}
	*out = *closure;
	out->v = paths;
	return true;
}

/* ---- writing ---- */

/* Writes the numbers on one line, unlike the rest: a system has ten thousand references. */
static struct json_object *numbers_json(const size_t *v, size_t n)
{
	BUF_CLEANUP struct buf text = {0};
	struct json_object *array = json_object_new_array();
	for (size_t i = 0; i < n; i++) {
		json_object_array_add(array, json_object_new_uint64(v[i]));
		buf_printf(&text, "%s%zu", i ? "," : "[", v[i]);
	}
	buf_puts(&text, n ? "]" : "[]");
	char *copy = require_memory(strdup(buf_text(&text)));
	json_object_set_serializer(
		array, json_object_userdata_to_json_string, copy, json_object_free_userdata);
	return array;
}

static struct json_object *closure_json(const struct closure *closure, const int64_t *stored)
{
	struct json_object *array = json_object_new_array();
	for (size_t i = 0; i < closure->n; i++) {
		const struct store_path *path = &closure->v[i];
		struct json_object *object = json_object_new_object();
		set_text(object, "path", path->path);
		set(object, "narSize", json_object_new_int64(path->nar_size));
		set_text(object, "narHash", path->nar_hash);
		set(object, "storedSize", stored[i] < 0 ? NULL : json_object_new_int64(stored[i]));
		set(object, "references", numbers_json(path->refs, path->nrefs));
		json_object_array_add(array, object);
	}
	return array;
}

/*
 * Omits the description, which is in vm.json, the closure, which is a member of its own, and the
 * shares and the steps of stage 1, which follow from the rest: `mvmbuild diff` would otherwise
 * report one change twice.
 */
static struct json_object *plan_json(struct arena *arena, const struct plan *plan)
{
	static const char *const elsewhere[] = {"closure", "description", "shares", "stage1"};
	struct json_object *object = report_plan(arena, plan);
	for (size_t i = 0; i < countof(elsewhere); i++)
		json_object_object_del(object, elsewhere[i]);
	return object;
}

/*
 * The arguments of `veritysetup verify --hash-offset=… DISK DISK ROOTHASH`, and the superblock's
 * salt and UUID.
 */
static struct json_object *verity_json(struct arena *arena, const struct verity *verity)
{
	if (!verity->data_blocks)
		return NULL;
	struct json_object *object = json_object_new_object();
	set_text(object, "rootHash", verity_root_text(arena, verity));
	set_text(object, "salt", verity_salt_text(arena));
	set_text(object, "uuid", verity_uuid_text(arena, verity));
	set(object, "hashOffset", json_object_new_uint64(verity->data_blocks * VERITY_BLOCK_BYTES));
	return object;
}

static struct json_object *disk_json(
	struct arena *arena, const struct plan *plan, const struct image_results *results)
{
	if (!storage_disk_in_runner(plan->vm))
		return NULL;
	struct json_object *object = json_object_new_object();
	set_text(object, "path", storage_store_disk(plan->vm));
	set(object, "size", json_object_new_uint64(results->disk_bytes));
	set(object, "verity", verity_json(arena, &results->store_disk.verity));
	return object;
}

bool manifest_make(struct arena *arena, struct diag *diag, const struct plan *plan,
	const struct image_results *results, struct json_object **out)
{
	struct closure closure;
	if (!closure_measure(arena, diag, &plan->closure, &closure))
		return false;
	const struct strings packed = plan_packed(arena, plan);
	size_t nroots, *roots = closure_roots(arena, &closure, &packed, &nroots);
	struct json_object *manifest = json_object_new_object();
	set(manifest, "manifestVersion", json_object_new_int(MANIFEST_VERSION));
	set_text(manifest, "generator", "mvmbuild " MVM_VERSION);
	set_text(manifest, "hostName", plan->vm->host_name);
	set(manifest, "plan", plan_json(arena, plan));
	set(manifest, "storeDisk", disk_json(arena, plan, results));
	set_text(manifest, "storeDir", plan->closure.store_dir);
	set(manifest, "roots", numbers_json(roots, nroots));
	set(manifest, "closure", closure_json(&closure, results->stored));
	*out = manifest;
	return true;
}

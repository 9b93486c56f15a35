/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "compiler/runner/manifest.h"

enum { MANIFEST_BYTES = 64 << 20, JSON_DEPTH = 128 /* a description may have 64 levels */ };

struct reader {
	struct arena *arena;
	struct diag *diag;
	const char *path; /* of manifest.json */
	struct manifest *out;
};

static bool refuse(const struct reader *reader, const char *what)
{
	return diag_error(
		reader->diag, STATUS_INPUT, NULL, "bad-manifest", "%s: %s", reader->path, what);
}

/* Returns a member of the given type, or NULL. */
static struct json_object *member(struct json_object *object, const char *key, enum json_type type)
{
	struct json_object *value;
	return json_object_object_get_ex(object, key, &value) && json_object_is_type(value, type)
		? value
		: NULL;
}

static const char *member_text(
	const struct reader *reader, struct json_object *object, const char *key)
{
	struct json_object *value = member(object, key, json_type_string);
	return value ? arena_strdup(reader->arena, json_object_get_string(value)) : NULL;
}

/* Returns -1 if there is no valid size. */
static int64_t member_size(struct json_object *object, const char *key)
{
	struct json_object *value = member(object, key, json_type_int);
	int64_t size = value ? json_object_get_int64(value) : -1;
	return size < 0 ? -1 : size;
}

/* Returns NULL if the text is not a JSON object. */
static struct json_object *parse(const struct bytes *text)
{
	struct json_tokener *tokener = require_memory(json_tokener_new_ex(JSON_DEPTH));
	struct json_object *object = json_tokener_parse_ex(tokener, text->p, (int)text->n + 1);
	bool good = json_tokener_get_error(tokener) == json_tokener_success &&
		json_object_is_type(object, json_type_object);
	json_tokener_free(tokener);
	if (good)
		return object;
	json_object_put(object);
	return NULL;
}

static struct json_object *file_json(struct arena *arena, struct diag *diag, const char *path)
{
	struct bytes text;
	if (!file_read(arena, diag, path, MANIFEST_BYTES, &text))
		return NULL;
	struct json_object *object = parse(&text);
	if (!object)
		diag_error(
			diag, STATUS_INPUT, NULL, "bad-manifest", "%s is not a JSON object", path);
	return object;
}

struct json_object *description_read(struct arena *arena, struct diag *diag, const char *runner)
{
	return file_json(arena, diag, path_join(arena, runner, RUNNER_DESCRIPTION));
}

/* Reads indices, which must be below `limit`. */
static bool read_numbers(const struct reader *reader, struct json_object *object, const char *key,
	size_t limit, const size_t **v, size_t *n)
{
	struct json_object *array = member(object, key, json_type_array);
	*n = array ? json_object_array_length(array) : 0;
	size_t *numbers = arena_alloc(reader->arena, (*n + 1) * sizeof *numbers);
	for (size_t i = 0; i < *n; i++) {
		struct json_object *value = json_object_array_get_idx(array, i);
		int64_t number = json_object_is_type(value, json_type_int)
			? json_object_get_int64(value)
			: -1;
		if (number < 0 || (uint64_t)number >= limit)
			return refuse(reader, "a reference to a store path is out of range");
		numbers[i] = (size_t)number;
	}
	*v = numbers;
	return array || refuse(reader, "a list of paths is missing");
}

static bool read_path(const struct reader *reader, struct json_object *object, size_t count,
	struct store_path *path, int64_t *stored)
{
	path->path = member_text(reader, object, "path");
	path->nar_hash = member_text(reader, object, "narHash");
	path->nar_size = member_size(object, "narSize");
	*stored = member_size(object, "storedSize");
	if (!path->path || path->nar_size < 0)
		return refuse(reader, "a store path has no name or no size");
	path->name = path_base(path->path);
	return read_numbers(reader, object, "references", count, &path->refs, &path->nrefs);
}

/* Guarantees that sums of sizes do not overflow. */
static bool add_size(uint64_t *sum, int64_t size)
{
	*sum += size < 0 ? 0 : (uint64_t)size;
	return *sum < (uint64_t)INT64_MAX;
}

static bool read_closure(const struct reader *reader)
{
	struct manifest *out = reader->out;
	struct json_object *array = member(out->json, "closure", json_type_array);
	if (!array)
		return refuse(reader, "the closure is missing");
	size_t n = json_object_array_length(array);
	struct store_path *paths = arena_alloc(reader->arena, (n + 1) * sizeof *paths);
	int64_t *stored = arena_alloc(reader->arena, (n + 1) * sizeof *stored);
	uint64_t sum = 0;
	for (size_t i = 0; i < n; i++) {
		if (!read_path(
			    reader, json_object_array_get_idx(array, i), n, &paths[i], &stored[i]))
			return false;
		if (!add_size(&sum, paths[i].nar_size) || !add_size(&sum, stored[i]))
			return refuse(reader, "the sizes are too large");
	}
	out->closure = (struct closure){.v = paths,
		.n = n,
		.store_dir = member_text(reader, out->json, "storeDir"),
		.source = reader->path};
	out->stored = stored;
	return (out->closure.store_dir || refuse(reader, "storeDir is missing")) &&
		read_numbers(reader, out->json, "roots", n, &out->roots, &out->nroots);
}

static bool read_version(const struct reader *reader)
{
	int64_t version = member_size(reader->out->json, "manifestVersion");
	if (version == MANIFEST_VERSION)
		return true;
	if (version < 0)
		return refuse(reader, "manifestVersion is missing");
	return diag_error(reader->diag, STATUS_INPUT, NULL, "manifest-version",
		"%s has version %lld, but this mvmbuild reads version %d: %s", reader->path,
		(long long)version, MANIFEST_VERSION,
		version < MANIFEST_VERSION ? "build the runner again"
					   : "the runner was built by a newer mvmbuild");
}

static bool read_disk(const struct reader *reader, struct json_object *disk)
{
	struct manifest *out = reader->out;
	struct json_object *verity = member(disk, "verity", json_type_object);
	int64_t size = member_size(disk, "size"),
		data = verity ? member_size(verity, "hashOffset") : size;
	out->disk = member_text(reader, disk, "path");
	if (!out->disk || size < 0)
		return refuse(reader, "the store disk has no path or no size");
	if (data < 0 || data > size)
		return refuse(reader, "the hash tree is not inside the store disk");
	out->disk_bytes = (uint64_t)size;
	out->tree_bytes = (uint64_t)(size - data);
	return true;
}

static bool read_all(const struct reader *reader)
{
	struct manifest *out = reader->out;
	if (!read_version(reader))
		return false;
	out->host_name = member_text(reader, out->json, "hostName");
	out->plan = member(out->json, "plan", json_type_object);
	struct json_object *disk = member(out->json, "storeDisk", json_type_object);
	if (!out->host_name || !out->plan)
		return refuse(reader, "hostName or plan is missing");
	return (!disk || read_disk(reader, disk)) && read_closure(reader);
}

bool manifest_read(struct arena *arena, struct diag *diag, const char *runner, struct manifest *out)
{
	const struct reader reader = {arena, diag, path_join(arena, runner, RUNNER_MANIFEST), out};
	*out = (struct manifest){.runner = runner};
	if (path_exists(path_join(arena, runner, "host.json")))
		return diag_error(diag, STATUS_INPUT, NULL, "not-a-runner",
			"%s is the output of mvmbuild host; name one of its runners: "
			"%s/runners/NAME",
			runner, runner);
	if (!path_exists(reader.path))
		return diag_error(diag, STATUS_INPUT, NULL, "not-a-runner",
			"%s is not a runner of mvmbuild: it has no %s", runner, RUNNER_MANIFEST);
	out->json = file_json(arena, diag, reader.path);
	if (!out->json || !read_all(&reader))
		return false;
	out->description = description_read(arena, diag, runner);
	return out->description;
}

void manifest_free(struct manifest *manifest)
{
	json_object_put(manifest->json);
	json_object_put(manifest->description);
}

struct json_object *manifest_peek(struct arena *arena, const char *runner)
{
	struct bytes text;
	const char *path = path_join(arena, runner, RUNNER_MANIFEST);
	if (!path_exists(path) || !file_read(arena, diag_new(arena), path, MANIFEST_BYTES, &text))
		return NULL;
	return parse(&text);
}

const char *manifest_text(struct json_object *manifest, const char *key)
{
	struct json_object *value = member(manifest, key, json_type_string);
	return value ? json_object_get_string(value) : "";
}

/* SPDX-License-Identifier: MIT */
/*
 * json: reads the JSON in which Nix describes store paths:
 *   `nix path-info --json`: a list (Nix < 2.19), a map by path (format 1), or {storeDir, info: map
 *     by base name} (formats 2 and 3)
 *   structured attributes (.attrs.json): each name in exportReferencesGraph has become a list
 */
#include <json-c/json.h>
#include <string.h>

#include "base/buf.h"
#include "base/nix_hash.h"
#include "compiler/closure/source.h"

enum { MAX_DEPTH = 512 };

struct reader {
	struct closure_table *table;
	struct pos where; /* only the file: json-c keeps no line numbers */
};

static void object_put(struct json_object **object)
{
	json_object_put(*object);
}

static bool json_error(struct reader *reader, const char *path, const char *text)
{
	return closure_error(reader->table, &reader->where, "closure-syntax", "%s: %s", path, text);
}

/* Returns NULL if the value is not a string or contains a NUL byte. */
static const char *string_of(struct json_object *value)
{
	if (!json_object_is_type(value, json_type_string))
		return NULL;
	const char *text = json_object_get_string(value);
	return strlen(text) == (size_t)json_object_get_string_len(value) ? text : NULL;
}

static struct json_object *member(struct json_object *object, const char *key)
{
	return json_object_object_get(object, key);
}

static const char *string_member(struct json_object *object, const char *key)
{
	return string_of(member(object, key));
}

/* Newer formats omit the store directory. */
static const char *full_path(struct reader *reader, const char *path)
{
	return path[0] == '/' ? path
			      : path_join(reader->table->arena, reader->table->store_dir, path);
}

static bool check_store_dir(struct reader *reader, const char *what, struct json_object *object)
{
	struct json_object *value = member(object, "storeDir");
	const char *store_dir = string_of(value);
	if (!value || (store_dir && strcmp(store_dir, reader->table->store_dir) == 0))
		return true;
	return closure_error(reader->table, &reader->where, "closure-store",
		"the storeDir of %s is \"%s\", expected \"%s\"", what,
		json_object_get_string(value), reader->table->store_dir);
}

/* ---- the fields of an entry ---- */

/*
 * Accepts "sha256-BASE64" and {algorithm, hash}, with or without "format". Returns ALGORITHM:DIGITS
 * or ALGORITHM-BASE64, or NULL if the value is neither.
 */
static const char *hash_text(struct reader *reader, struct json_object *value)
{
	const char *algorithm = string_member(value, "algorithm"),
		   *digits = string_member(value, "hash");
	if (algorithm && digits)
		return arena_printf(reader->table->arena, "%s:%s", algorithm, digits);
	return string_of(value);
}

static bool read_hash(struct reader *reader, struct json_object *value, struct store_path *info)
{
	if (!value)
		return true;
	const char *hash = hash_text(reader, value);
	if (!hash)
		return json_error(reader, info->path, "narHash is not a hash");
	info->nar_hash = closure_table_hash(reader->table, &reader->where, info->path, hash);
	return info->nar_hash;
}

static bool read_size(struct reader *reader, struct json_object *value, struct store_path *info)
{
	if (!value)
		return true;
	info->nar_size = json_object_get_int64(value);
	return (json_object_is_type(value, json_type_int) && info->nar_size >= 0) ||
		json_error(reader, info->path, "narSize is not a number of bytes");
}

static bool read_references(
	struct reader *reader, struct json_object *value, struct store_path *info)
{
	if (!json_object_is_type(value, json_type_array))
		return json_error(reader, info->path, "references is not an array");
	size_t n = json_object_array_length(value),
	       *refs = arena_alloc(reader->table->arena, n * sizeof *refs);
	for (size_t i = 0; i < n; i++) {
		const char *reference = string_of(json_object_array_get_idx(value, i));
		if (!reference)
			return json_error(reader, info->path, "a reference is not a string");
		reference = full_path(reader, reference);
		refs[i] = closure_table_add(
			reader->table, &reader->where, "reference", reference, strlen(reference));
		if (refs[i] == SIZE_MAX)
			return false;
	}
	info->refs = refs;
	info->nrefs = n;
	return true;
}

static bool read_deriver(struct reader *reader, struct json_object *value, struct store_path *info)
{
	if (!value)
		return true;
	const char *deriver = string_of(value);
	if (!deriver)
		return json_error(reader, info->path, "deriver is not a string");
	if (!*deriver)
		return true;
	info->deriver = closure_table_deriver(
		reader->table, &reader->where, info->path, full_path(reader, deriver));
	return info->deriver;
}

/* A signature is "KEY:SIGNATURE" or, since format 3, {keyName, sig}. */
static bool add_signature(struct json_object *value, struct buf *sigs)
{
	const char *key = string_member(value, "keyName"), *sig = string_member(value, "sig"),
		   *text = string_of(value);
	if (!text && !(key && sig))
		return false;
	buf_puts(sigs, sigs->n ? " " : "");
	if (text)
		buf_puts(sigs, text);
	else
		buf_printf(sigs, "%s:%s", key, sig);
	return true;
}

static bool read_signatures(
	struct reader *reader, struct json_object *value, struct store_path *info)
{
	if (!value)
		return true;
	BUF_CLEANUP struct buf sigs = {0};
	if (!json_object_is_type(value, json_type_array))
		return json_error(reader, info->path, "signatures is not an array");
	for (size_t i = 0; i < json_object_array_length(value); i++)
		if (!add_signature(json_object_array_get_idx(value, i), &sigs))
			return json_error(reader, info->path,
				"a signature is neither a string nor {keyName, sig}");
	if (sigs.n)
		info->sigs = arena_strdup(reader->table->arena, buf_text(&sigs));
	return true;
}

/*
 * Converts {method, hash} to the database's form, "fixed:r:sha256:NIX32". Returns NULL if it is
 * malformed or unknown.
 */
static const char *content_address(struct reader *reader, struct json_object *value)
{
	static const struct {
		const char *method, *prefix;
	} methods[] = {
		{"flat", "fixed:"}, {"nar", "fixed:r:"}, {"git", "fixed:git:"}, {"text", "text:"}};
	const char *method = string_member(value, "method"),
		   *hash = hash_text(reader, member(value, "hash"));
	size_t at = 0;
	while (method && at < countof(methods) && strcmp(methods[at].method, method) != 0)
		at++;
	size_t split = hash ? strcspn(hash, ":-") : 0;
	if (!method || at == countof(methods) || !split || !hash[split])
		return NULL;
	const char *algorithm = arena_strndup(reader->table->arena, hash, split);
	unsigned char digest[NIX_HASH_MAX_BYTES];
	char digits[NIX_HASH_MAX_DIGITS + 1];
	size_t size = nix_hash_size(algorithm);
	if (!size || !nix_hash_decode(hash + split + 1, digest, size))
		return NULL;
	nix32_encode(digest, size, digits);
	return arena_printf(reader->table->arena, "%s%s:%s", methods[at].prefix, algorithm, digits);
}

static bool read_content_address(
	struct reader *reader, struct json_object *value, struct store_path *info)
{
	if (!value)
		return true;
	const char *text = string_of(value);
	if (text && !*text)
		return true;
	info->ca = text ? arena_strdup(reader->table->arena, text) : content_address(reader, value);
	return info->ca || json_error(reader, info->path, "ca is not a content address");
}

/* ---- entries and their lists ---- */

static bool read_entry(struct reader *reader, const char *path, struct json_object *object)
{
	if (!path && !(path = string_member(object, "path")))
		return closure_error(reader->table, &reader->where, "closure-syntax",
			"an entry has no \"path\"");
	path = full_path(reader, path);
	size_t entry = closure_table_add(reader->table, &reader->where, "path", path, strlen(path));
	if (entry == SIZE_MAX)
		return false;
	struct json_object *valid = member(object, "valid");
	/*
	 * With null or "valid": false, Nix reports a path that it does not know: it stays
	 * undescribed.
	 */
	if (!object || (valid && !json_object_get_boolean(valid)))
		return true;
	if (!json_object_is_type(object, json_type_object))
		return json_error(reader, path, "its description is not an object");
	struct store_path info = {.path = path,
		.nar_size = -1,
		.ultimate = json_object_get_boolean(member(object, "ultimate"))};
	if (!check_store_dir(reader, path, object))
		return false;
	if (!read_hash(reader, member(object, "narHash"), &info))
		return false;
	if (!read_size(reader, member(object, "narSize"), &info))
		return false;
	if (!read_references(reader, member(object, "references"), &info))
		return false;
	if (!read_deriver(reader, member(object, "deriver"), &info))
		return false;
	if (!read_signatures(reader, member(object, "signatures"), &info))
		return false;
	if (!read_content_address(reader, member(object, "ca"), &info))
		return false;
	return closure_table_describe(reader->table, entry, &info, &reader->where);
}

static bool read_list(struct reader *reader, struct json_object *list)
{
	bool ok = true;
	for (size_t i = 0; i < json_object_array_length(list); i++)
		ok &= read_entry(reader, NULL, json_object_array_get_idx(list, i));
	return ok;
}

static bool read_map(struct reader *reader, struct json_object *map)
{
	bool ok = true;
	json_object_object_foreach(map, path, value) ok &= read_entry(reader, path, value);
	return ok;
}

/* Whether a structured attribute is a graph, and not some other list of the derivation. */
static bool is_graph(struct json_object *value)
{
	if (!json_object_is_type(value, json_type_array))
		return false;
	struct json_object *first = json_object_array_get_idx(value, 0);
	return string_member(first, "path") && member(first, "narHash") &&
		json_object_is_type(member(first, "references"), json_type_array);
}

static bool read_graphs(struct reader *reader, struct json_object *attributes)
{
	bool ok = true;
	json_object_object_foreach(attributes, name, value)
	{
		(void)name;
		if (is_graph(value))
			ok &= read_list(reader, value);
	}
	return ok;
}

/* Whether the keys are store paths or their base names. */
static bool is_map_by_path(struct json_object *object)
{
	json_object_object_foreach(object, key, value)
	{
		(void)value;
		return key[0] == '/' || !store_name_problem(key, strlen(key));
	}
	return false;
}

static bool read_document(struct reader *reader, struct json_object *document)
{
	struct json_object *info = member(document, "info");
	if (json_object_is_type(document, json_type_array))
		return read_list(reader, document);
	if (json_object_is_type(info, json_type_object) && member(document, "storeDir"))
		return check_store_dir(reader, "this file", document) && read_map(reader, info);
	return is_map_by_path(document) ? read_map(reader, document)
					: read_graphs(reader, document);
}

/* ---- parsing ---- */

static struct pos position(const char *file, const struct bytes *text, size_t offset)
{
	struct pos where = {file, 1, 1, 0};
	for (size_t i = 0; i < offset && i < text->n; i++)
		if (text->p[i] == '\n')
			where.line++;
	return where;
}

static bool is_blank(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!strchr(" \t\r\n", text[i]) || !text[i])
			return false;
	return true;
}

static struct json_object *parse(
	struct closure_table *table, const char *file, const struct bytes *text)
{
	struct json_tokener *tokener = json_tokener_new_ex(MAX_DEPTH);
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	struct json_object *document = json_tokener_parse_ex(tokener, text->p, (int)text->n);
	enum json_tokener_error error = json_tokener_get_error(tokener);
	size_t end = json_tokener_get_parse_end(tokener);
	json_tokener_free(tokener);
	if (document && is_blank(text->p + end, text->n - end))
		return document;
	struct pos where = position(file, text, end);
	if (error == json_tokener_continue)
		closure_error(table, &where, "closure-syntax",
			"the file ends in the middle of a JSON value");
	else
		closure_error(table, &where, "closure-syntax", "this is not valid JSON: %s",
			document ? "there is extra text after the value"
				 : json_tokener_error_desc(error));
	json_object_put(document);
	return NULL;
}

bool closure_json_load(struct closure_table *table, const char *file, const struct bytes *text)
{
	__attribute__((cleanup(object_put))) struct json_object *document =
		parse(table, file, text);
	struct reader reader = {.table = table, .where = {.file = file}};
	return document && read_document(&reader, document);
}

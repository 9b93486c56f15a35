/* SPDX-License-Identifier: MIT */
#include "compiler/command/schema.h"

#include <string.h>

#include "base/buf.h"
#include "base/node_json.h"
#include "base/shape.h"
#include "compiler/describe/doc.h"
#include "compiler/describe/options.h"

struct options {
	const struct option **v;
	size_t n, capacity;
};

struct emitter {
	struct arena *arena;
	bool part; /* required options may be in another file, except in elements of lists */
};

static struct json_object *text(const char *value)
{
	return json_object_new_string(value);
}

static void set(struct json_object *object, const char *key, struct json_object *value)
{
	json_object_object_add(object, key, value);
}

static struct json_object *array(const char *const *names)
{
	struct json_object *array = json_object_new_array();
	for (; *names; names++)
		json_object_array_add(array, text(*names));
	return array;
}

#define ARRAY(...) array((const char *const[]){__VA_ARGS__, NULL})

static struct json_object *typed(struct json_object *type)
{
	struct json_object *schema = json_object_new_object();
	set(schema, "type", type);
	return schema;
}

static struct json_object *reference(const char *pointer)
{
	struct json_object *schema = json_object_new_object();
	set(schema, "$ref", text(pointer));
	return schema;
}

static struct json_object *not_of(struct json_object *type)
{
	struct json_object *schema = json_object_new_object();
	set(schema, "not", typed(type));
	return schema;
}

static struct json_object *any_of(struct json_object *first, struct json_object *second)
{
	struct json_object *schema = json_object_new_object(), *list = json_object_new_array();
	json_object_array_add(list, first);
	json_object_array_add(list, second);
	set(schema, "anyOf", list);
	return schema;
}

static struct json_object *first_of(struct json_object *any_of)
{
	return json_object_array_get_idx(json_object_object_get(any_of, "anyOf"), 0);
}

/* ---- values ---- */

/*
 * mvmbuild also takes a number or a boolean as a text. Null and booleans are unwanted, so the
 * schema describes them by the types that they are not, and editors do not propose them.
 */
#define NO_VALUE "#/$defs/null"
#define NO_TEXT "#/$defs/nullOrBoolean"

static struct json_object *definitions(void)
{
	struct json_object *all = json_object_new_object();
	set(all, strrchr(NO_VALUE, '/') + 1,
		not_of(ARRAY("string", "number", "boolean", "array", "object")));
	set(all, strrchr(NO_TEXT, '/') + 1, not_of(ARRAY("string", "number", "array", "object")));
	return all;
}

static void set_shape(struct json_object *schema, const struct option *option)
{
	if (option->shape)
		set(schema, "pattern", text(option->shape->pattern));
	if (option->shape && option->longest)
		set(schema, "maxLength", json_object_new_uint64(option->longest));
}

/* Whether the text of a number or boolean can be the option's value. */
static bool fits(const struct option *option, const char *text)
{
	return !option->shape || option->shape->fits(text);
}

static struct json_object *string_schema(const struct option *option)
{
	const char *const kinds[] = {"string",
		!fits(option, "1")            ? NULL
			: fits(option, "1.5") ? "number"
					      : "integer",
		NULL};
	struct json_object *schema = typed(kinds[1] ? array(kinds) : text(kinds[0]));
	set_shape(schema, option);
	if (kinds[1] && !fits(option, "-1"))
		set(schema, "minimum", json_object_new_int(fits(option, "0") ? 0 : 1));
	if (option->required)
		set(schema, "minLength", json_object_new_int(1));
	return schema;
}

/* A string in a list or map. */
static struct json_object *inner_string_schema(void)
{
	return typed(ARRAY("string", "number", "boolean"));
}

static struct json_object *strings_schema(const struct option *option)
{
	struct json_object *schema = typed(text("array")),
			   *items = option->shape ? string_schema(option) : inner_string_schema();
	set(schema, "items", items);
	return schema;
}

static struct json_object *pairs_schema(const struct option *option)
{
	struct json_object *schema = typed(text("object"));
	set(schema, "additionalProperties", inner_string_schema());
	if (option->shape) {
		struct json_object *names = json_object_new_object();
		set_shape(names, option);
		set(schema, "propertyNames", names);
	}
	return schema;
}

static struct json_object *enum_schema(const struct option *option)
{
	struct json_object *schema = json_object_new_object();
	set(schema, "enum", array(option->choices));
	return schema;
}

static void set_range(struct json_object *schema, const struct option *option)
{
	set(schema, "minimum", json_object_new_int64(option->minimum));
	set(schema, "maximum", json_object_new_int64(option->maximum));
}

static struct json_object *integer_schema(const struct option *option)
{
	struct json_object *schema = typed(text("integer"));
	set_range(schema, option);
	return schema;
}

static struct json_object *mib_schema(const struct option *option)
{
	struct json_object *schema = typed(ARRAY("integer", "string"));
	set_range(schema, option);
	set(schema, "pattern",
		text(option->minimum > 0 ? "^[1-9][0-9]* *(M|MiB|G|GiB|T|TiB)?$"
					 : "^(0|[1-9][0-9]*) *(M|MiB|G|GiB|T|TiB)?$"));
	return schema;
}

static struct json_object *table_schema(const struct emitter *emitter, const struct option *table);

static struct json_object *whole_table_schema(
	const struct emitter *emitter, const struct option *table)
{
	return table_schema(&(struct emitter){.arena = emitter->arena}, table);
}

static struct json_object *list_schema(const struct emitter *emitter, const struct option *option)
{
	struct json_object *schema = typed(text("array"));
	set(schema, "items", whole_table_schema(emitter, option->sub));
	return schema;
}

static struct json_object *map_schema(const struct emitter *emitter, const struct option *option)
{
	struct json_object *schema = typed(text("object"));
	set(schema, "additionalProperties", whole_table_schema(emitter, option->sub));
	return schema;
}

static struct json_object *given_schema(const struct emitter *emitter, const struct option *option)
{
	switch (option->kind) {
	case OPTION_STRING:
		return string_schema(option);
	case OPTION_BOOL:
		return typed(text("boolean"));
	case OPTION_INT:
	case OPTION_UINT:
		return integer_schema(option);
	case OPTION_MIB:
		return mib_schema(option);
	case OPTION_ENUM:
	case OPTION_BACKEND:
		return enum_schema(option);
	case OPTION_STRINGS:
		return strings_schema(option);
	case OPTION_PAIRS:
		return pairs_schema(option);
	case OPTION_GROUP:
		return table_schema(emitter, option->sub);
	case OPTION_LIST:
		return list_schema(emitter, option);
	case OPTION_MAP:
		return map_schema(emitter, option);
	case OPTION_TREE:
	case OPTION_NONE:
		break;
	}
	return json_object_new_object(); /* anything */
}

/* A group is required if one of its options is. */
static bool is_required(const struct option *option)
{
	if (option->kind != OPTION_GROUP)
		return option->required;
	for (const struct option *inner = option->sub; inner->name; inner++)
		if (is_required(inner))
			return true;
	return false;
}

/* A path, which is ignored, or null. */
static struct json_object *generated_path_schema(void)
{
	struct json_object *schema = not_of(ARRAY("number", "boolean", "array", "object"));
	set(schema, "pattern", text("^/"));
	return schema;
}

static struct json_object *value_schema(const struct emitter *emitter, const struct option *option)
{
	struct json_object *schema = given_schema(emitter, option);
	if (option->kind == OPTION_TREE || option->kind == OPTION_NONE)
		return schema;
	if (option->generated_scalar)
		return any_of(schema, generated_path_schema());
	const bool may_lack = option->unless || (emitter->part && option->kind == OPTION_GROUP);
	if (is_required(option) && !may_lack)
		return schema;
	return any_of(schema,
		reference(option->kind == OPTION_STRING && fits(option, "true") ? NO_TEXT
										: NO_VALUE));
}

/* ---- options ---- */

/* Keys that the binder ignores. */
static void allow_extensions(struct json_object *schema)
{
	struct json_object *patterns = json_object_new_object();
	set(patterns, "^x-", json_object_new_object());
	set(schema, "patternProperties", patterns);
}

static struct json_object *default_of(const struct emitter *emitter, const struct option *option)
{
	BUF_CLEANUP struct buf json = {0};
	struct diag *diag = diag_new(emitter->arena);
	const struct node *value = doc_parse_value(emitter->arena, diag, "default", option->def, 0);
	json_put_scalar(&json, value);
	return json_tokener_parse(buf_text(&json));
}

static struct json_object *described(const struct emitter *emitter, const struct option *option)
{
	static const char *const bases[] = {[PATH_OTHER] = "",
		[PATH_FROM_FILE] = " A relative path is relative to this file.",
		[PATH_FROM_STATE] = " A relative path is relative to the VM's state directory."};
	const char *doc = arena_printf(emitter->arena, "%s%s", option->doc, bases[option->base]);
	if (option->state == OPTION_GENERATED)
		doc = arena_printf(emitter->arena, "%s It is ignored, with a note.", doc);
	else if (option->def_doc)
		doc = arena_printf(emitter->arena, "%s Default: %s.", doc, option->def_doc);
	return text(doc);
}

static struct json_object *option_schema(const struct emitter *emitter, const struct option *option)
{
	struct json_object *schema = value_schema(emitter, option);
	set(schema, "description", described(emitter, option));
	if (option->def)
		set(schema, "default", default_of(emitter, option));
	if (option->state == OPTION_REMOVED)
		set(schema, "not", json_object_new_object());
	if (option->state != OPTION_READY)
		set(schema, "deprecated", json_object_new_boolean(true));
	return schema;
}

static struct json_object *required_names(const struct option *table)
{
	struct json_object *names = json_object_new_array();
	for (; table->name; table++)
		if (is_required(table))
			json_object_array_add(names, text(table->name));
	return names;
}

/* Keys for anchors; mvmbuild ignores them. */
static void allow_anchors(struct json_object *schema)
{
	struct json_object *patterns = json_object_new_object();
	set(patterns, "^x-", json_object_new_object());
	set(schema, "patternProperties", patterns);
}

static struct json_object *open_table_schema(
	const struct emitter *emitter, const struct option *table)
{
	struct json_object *schema = typed(text("object")), *properties = json_object_new_object();
	for (; table->name; table++)
		set(properties, table->name, option_schema(emitter, table));
	set(schema, "properties", properties);
	allow_anchors(schema);
	set(schema, "additionalProperties", json_object_new_boolean(false));
	allow_extensions(schema);
	return schema;
}

static struct json_object *table_schema(const struct emitter *emitter, const struct option *table)
{
	struct json_object *schema = open_table_schema(emitter, table),
			   *required = required_names(table);
	if (!emitter->part && json_object_array_length(required))
		set(schema, "required", required);
	else
		json_object_put(required);
	return schema;
}

/* ---- descriptions ---- */

/* The options again, below the key "microvm"; `self` points to the schema of the description. */
static struct json_object *wrapper_schema(
	const struct emitter *emitter, const struct option *table, const char *self)
{
	struct json_object *schema = typed(text("object")), *properties = json_object_new_object();
	for (; table->name; table++)
		set(properties, table->name,
			reference(arena_printf(
				emitter->arena, "%s/properties/%s", self, table->name)));
	set(schema, "properties", properties);
	allow_anchors(schema);
	set(schema, "additionalProperties", json_object_new_boolean(false));
	allow_extensions(schema);
	schema = any_of(schema, reference(NO_VALUE));
	set(schema, "description",
		text("The options may be given below this key, as in a NixOS configuration."));
	return schema;
}

static struct json_object *has(struct json_object *names)
{
	struct json_object *schema = json_object_new_object();
	set(schema, "required", names);
	return schema;
}

/* The condition that the option is present and not null. */
static struct json_object *has_beside(const char *name)
{
	struct json_object *schema = has(ARRAY(name)), *properties = json_object_new_object();
	set(properties, name, not_of(text("null")));
	set(schema, "properties", properties);
	return schema;
}

static struct json_object *has_inside(const char *name)
{
	struct json_object *schema = has(ARRAY("microvm")), *properties = json_object_new_object(),
			   *inside = has_beside(name);
	set(inside, "type", text("object"));
	set(properties, "microvm", inside);
	set(schema, "properties", properties);
	return schema;
}

static struct json_object *has_somewhere(const char *name)
{
	return any_of(has_beside(name), has_inside(name));
}

static void add_required(struct json_object *all, const struct option *row,
	struct json_object *(*is_there)(const char *))
{
	json_object_array_add(all,
		row->unless ? any_of(is_there(row->name), is_there(row->unless))
			    : is_there(row->name));
}

/* With a wrapper, each required option is inside or beside it. */
static void set_required(struct json_object *schema, const struct options *rows)
{
	struct json_object *then = json_object_new_object(), *all = json_object_new_array(),
			   *otherwise = json_object_new_object(), *beside = json_object_new_array();
	for (size_t i = 0; i < rows->n; i++) {
		add_required(all, rows->v[i], has_somewhere);
		add_required(beside, rows->v[i], has_beside);
	}
	set(then, "allOf", all);
	set(otherwise, "allOf", beside);
	set(schema, "if", has(ARRAY("microvm")));
	set(schema, "then", then);
	set(schema, "else", otherwise);
}

/* `may_lack`: a required option that may be missing; NULL: none. */
static struct json_object *vm_schema(
	const struct emitter *emitter, const char *self, const char *may_lack)
{
	const struct option *table = vm_options(emitter->arena);
	struct json_object *schema = open_table_schema(emitter, table);
	struct options required = {0};
	set(json_object_object_get(schema, "properties"), "microvm",
		wrapper_schema(emitter, table, self));
	for (const struct option *row = table; row->name; row++)
		if (row->required && !(may_lack && strcmp(row->name, may_lack) == 0))
			vec_push(emitter->arena, &required, row);
	if (!emitter->part)
		set_required(schema, &required);
	return schema;
}

/* ---- whole schemas ---- */

static void set_head(struct json_object *schema, const char *id, const char *title)
{
	set(schema, "$schema", text("https://json-schema.org/draft/2020-12/schema"));
	set(schema, "$id", text(id));
	set(schema, "title", text(title));
	set(schema, "$defs", definitions());
}

#define ID(name) "urn:mvmbuild:" MVM_VERSION ":" name

struct json_object *schema_vm(struct arena *arena)
{
	struct json_object *schema = vm_schema(&(struct emitter){.arena = arena}, "#", NULL);
	set_head(schema, ID("vm"), "mvmbuild description of a microVM");
	return schema;
}

struct json_object *schema_part(struct arena *arena)
{
	struct json_object *schema =
		vm_schema(&(struct emitter){.arena = arena, .part = true}, "#", NULL);
	set_head(schema, ID("part"), "part of an mvmbuild description of a microVM");
	return schema;
}

static bool is_state_dir(const char *text)
{
	return is_plain_path(text) && is_made_of(text, "/._-");
}

/* The shapes that the checks of host files require (compiler/fleet/fleet.c). */
static const struct shape *host_shape(const char *option)
{
	static const struct shape state_dir = {.fits = is_state_dir,
		.pattern = "^(/([A-Za-z0-9_-]|\\.[A-Za-z0-9_-]|\\.\\.[A-Za-z0-9._-])"
			   "[A-Za-z0-9._-]*)+$"};
	if (strcmp(option, "stateDir") == 0)
		return &state_dir;
	return strcmp(option, "user") == 0 || strcmp(option, "group") == 0 ? &shape_name : NULL;
}

static void set_host_shapes(const struct emitter *emitter, struct json_object *properties)
{
	for (const struct option *row = fleet_options; row->name; row++) {
		struct option shaped = *row;
		shaped.shape = host_shape(row->name);
		if (shaped.shape)
			set(properties, row->name, option_schema(emitter, &shaped));
	}
}

/* A VM has either its description or a file that contains it. */
static void set_host_vm(struct json_object *vm)
{
	struct json_object *ways = json_object_new_array();
	json_object_array_add(ways, has_beside("config"));
	json_object_array_add(ways, has_beside("source"));
	set(vm, "oneOf", ways);
	set(json_object_object_get(vm, "properties"), "config", reference("#/$defs/vm"));
}

struct json_object *schema_fleet(struct arena *arena)
{
	const struct emitter emitter = {.arena = arena};
	struct json_object *schema = table_schema(&emitter, fleet_options),
			   *properties = json_object_object_get(schema, "properties"),
			   *vms = first_of(json_object_object_get(properties, "vms")),
			   *name = json_object_new_object();
	set_head(schema, ID("host"), "mvmbuild host file");
	/* hostName defaults to the VM's key */
	set(json_object_object_get(schema, "$defs"), "vm",
		vm_schema(&emitter, "#/$defs/vm", "hostName"));
	set(name, "pattern", text(shape_name.pattern));
	set(vms, "propertyNames", name);
	set_host_vm(json_object_object_get(vms, "additionalProperties"));
	set_host_shapes(&emitter, properties);
	return schema;
}

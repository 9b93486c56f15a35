/* SPDX-License-Identifier: MIT */
#include "compiler/doc.h"

#include <string.h>
#include <yaml.h>

struct anchor {
	const char *name;
	struct node *node; /* NULL while its node is still being read */
};

struct reader {
	struct arena *arena;
	struct diag *diag;
	const char *file;
	const struct bytes *text;
	yaml_parser_t parser;
	VEC(struct anchor) anchors;
	unsigned depth;
};

struct node *node_new(struct arena *arena, enum node_kind kind, const struct pos *pos)
{
	struct node *node = arena_alloc(arena, sizeof *node);
	node->kind = kind;
	node->pos = *pos;
	node->weight = 1;
	return node;
}

struct node *node_get(const struct node *map, const char *key)
{
	for (size_t i = 0; i < map->entries.n; i++)
		if (strcmp(map->entries.v[i].key, key) == 0)
			return map->entries.v[i].value;
	return NULL;
}

void node_set(struct arena *arena, struct node *map, const char *key, const struct pos *key_pos, struct node *value)
{
	for (size_t i = 0; i < map->entries.n; i++)
		if (strcmp(map->entries.v[i].key, key) == 0) {
			map->entries.v[i].key_pos = *key_pos;
			map->entries.v[i].value = value;
			return;
		}
	vec_push(arena, &map->entries, (struct entry){key, *key_pos, value});
}

struct node *node_merge(struct arena *arena, struct node *base, struct node *over)
{
	if (!base || base->kind != NODE_MAP || over->kind != NODE_MAP)
		return over;
	struct node *merged = node_new(arena, NODE_MAP, &over->pos);
	for (size_t i = 0; i < base->entries.n; i++)
		vec_push(arena, &merged->entries, base->entries.v[i]);
	for (size_t i = 0; i < over->entries.n; i++) {
		const struct entry *entry = &over->entries.v[i];
		node_set(arena, merged, entry->key, &entry->key_pos, node_merge(arena, node_get(base, entry->key), entry->value));
	}
	return merged;
}

bool node_is_null(const struct node *node)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
	if (node->kind != NODE_SCALAR || node->quoted)
		return false;
	for (size_t i = 0; i < countof(nulls); i++)
		if (strcmp(node->text, nulls[i]) == 0)
			return true;
	return false;
}

bool node_equal(const struct node *a, const struct node *b)
{
	if (a->kind != b->kind || a->items.n != b->items.n || a->entries.n != b->entries.n)
		return false;
	if (a->kind == NODE_SCALAR)
		return node_is_null(a) == node_is_null(b) && (node_is_null(a) || strcmp(a->text, b->text) == 0);
	for (size_t i = 0; i < a->items.n; i++)
		if (!node_equal(a->items.v[i], b->items.v[i]))
			return false;
	for (size_t i = 0; i < a->entries.n; i++) {
		const struct node *other = node_get(b, a->entries.v[i].key);
		if (!other || !node_equal(a->entries.v[i].value, other))
			return false;
	}
	return true;
}

/* ---- reading ---- */

static struct pos mark_pos(const struct reader *reader, const yaml_mark_t *from, const yaml_mark_t *to)
{
	struct pos pos = {reader->file, (unsigned)from->line + 1, (unsigned)from->column + 1, 1};
	if (to && to->line == from->line && to->column > from->column)
		pos.width = (unsigned)(to->column - from->column);
	return pos;
}

static struct pos event_pos(const struct reader *reader, const yaml_event_t *event)
{
	return mark_pos(reader, &event->start_mark, &event->end_mark);
}

/* The place of a byte; columns count characters. */
static struct pos offset_pos(const struct reader *reader, size_t offset)
{
	struct pos pos = {reader->file, 1, 1, 1};
	for (size_t i = 0; i < offset && i < reader->text->n; i++) {
		char c = reader->text->p[i];
		if (c == '\n') {
			pos.line++;
			pos.column = 1;
		} else if (((unsigned char)c & 0xc0) != 0x80) {
			pos.column++;
		}
	}
	return pos;
}

static bool refuse(struct reader *reader, const struct pos *pos, const char *code, const char *text)
{
	return diag_error(reader->diag, STATUS_DESCRIPTION, pos, code, "%s", text);
}

static bool next_event(struct reader *reader, yaml_event_t *event)
{
	if (yaml_parser_parse(&reader->parser, event))
		return true;
	const yaml_parser_t *parser = &reader->parser;
	const char *problem = parser->problem ? parser->problem : "unreadable text";
	struct pos pos = parser->error == YAML_READER_ERROR ? offset_pos(reader, parser->problem_offset)
							    : mark_pos(reader, &parser->problem_mark, NULL);
	return diag_error(reader->diag, STATUS_DESCRIPTION, &pos, "syntax", "%s%s%s", problem, parser->context ? " " : "",
			  parser->context ? parser->context : "");
}

static struct node *read_node(struct reader *reader, yaml_event_t *event);

static void remember_anchor(struct reader *reader, const yaml_char_t *name, struct node *node)
{
	if (name)
		vec_push(reader->arena, &reader->anchors,
			 (struct anchor){arena_strdup(reader->arena, (const char *)name), node});
}

static void finish_anchor(struct reader *reader, size_t index, struct node *node)
{
	if (index < reader->anchors.n)
		reader->anchors.v[index].node = node;
}

static struct node *read_alias(struct reader *reader, const yaml_event_t *event)
{
	const char *name = (const char *)event->data.alias.anchor;
	struct pos pos = event_pos(reader, event);
	for (size_t i = reader->anchors.n; i-- > 0;) {
		if (strcmp(reader->anchors.v[i].name, name) != 0)
			continue;
		if (!reader->anchors.v[i].node)
			diag_error(reader->diag, STATUS_DESCRIPTION, &pos, "alias", "alias \"%s\" stands inside the node that it names", name);
		return reader->anchors.v[i].node;
	}
	diag_error(reader->diag, STATUS_DESCRIPTION, &pos, "alias", "there is no anchor \"%s\" before this alias", name);
	return NULL;
}

static bool tag_is_known(const yaml_char_t *tag)
{
	static const char *const known[] = {"!", YAML_STR_TAG, YAML_INT_TAG, YAML_BOOL_TAG, YAML_NULL_TAG,
					    YAML_FLOAT_TAG, YAML_SEQ_TAG, YAML_MAP_TAG};
	for (size_t i = 0; tag && i < countof(known); i++)
		if (strcmp((const char *)tag, known[i]) == 0)
			return true;
	return !tag;
}

static bool check_tag(struct reader *reader, const yaml_event_t *event, const yaml_char_t *tag)
{
	if (tag_is_known(tag))
		return true;
	struct pos pos = event_pos(reader, event);
	return diag_error(reader->diag, STATUS_DESCRIPTION, &pos, "tag", "unknown tag \"%s\"", (const char *)tag);
}

static struct node *read_scalar(struct reader *reader, const yaml_event_t *event)
{
	struct pos pos = event_pos(reader, event);
	const char *text = (const char *)event->data.scalar.value;
	const yaml_char_t *tag = event->data.scalar.tag;
	if (!check_tag(reader, event, tag))
		return NULL;
	if (strlen(text) != event->data.scalar.length) {
		refuse(reader, &pos, "syntax", "a text must not contain a 0 byte");
		return NULL;
	}
	struct node *node = node_new(reader->arena, NODE_SCALAR, &pos);
	node->text = arena_strndup(reader->arena, text, event->data.scalar.length);
	node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE ||
		       (tag && (strcmp((const char *)tag, "!") == 0 || strcmp((const char *)tag, YAML_STR_TAG) == 0));
	remember_anchor(reader, event->data.scalar.anchor, node);
	return node;
}

static bool weigh(struct reader *reader, struct node *parent, const struct node *child)
{
	parent->weight += child->weight;
	if (parent->height <= child->height)
		parent->height = child->height + 1;
	if (parent->height > DOC_MAX_DEPTH)
		return refuse(reader, &parent->pos, "too-deep", "the description is nested too deeply");
	if (parent->weight <= DOC_MAX_NODES && parent->entries.n <= DOC_MAX_KEYS)
		return true;
	return refuse(reader, &parent->pos, "too-many-nodes", "the description has too many nodes, or its aliases repeat too much");
}

static struct node *read_list(struct reader *reader, const yaml_event_t *start)
{
	struct pos pos = mark_pos(reader, &start->start_mark, NULL);
	if (!check_tag(reader, start, start->data.sequence_start.tag))
		return NULL;
	size_t anchor = start->data.sequence_start.anchor ? reader->anchors.n : SIZE_MAX;
	remember_anchor(reader, start->data.sequence_start.anchor, NULL);
	struct node *list = node_new(reader->arena, NODE_LIST, &pos);
	for (;;) {
		yaml_event_t event;
		if (!next_event(reader, &event))
			return NULL;
		if (event.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&event);
			break;
		}
		struct node *item = read_node(reader, &event);
		if (!item || !weigh(reader, list, item))
			return NULL;
		vec_push(reader->arena, &list->items, item);
	}
	finish_anchor(reader, anchor, list);
	return list;
}

/* `<<: *base` and `<<: [*a, *b]`: keys that the map does not give itself, the first source wins. */
static bool merge_into(struct reader *reader, struct node *map, const struct entry *merge)
{
	const struct node *value = merge->value;
	if (value->kind == NODE_LIST) {
		for (size_t i = 0; i < value->items.n; i++)
			if (!merge_into(reader, map, &(struct entry){merge->key, merge->key_pos, value->items.v[i]}))
				return false;
		return true;
	}
	if (value->kind != NODE_MAP)
		return refuse(reader, &merge->key_pos, "merge-key", "\"<<\" wants a map or a list of maps");
	for (size_t i = 0; i < value->entries.n; i++)
		if (!node_get(map, value->entries.v[i].key))
			vec_push(reader->arena, &map->entries, value->entries.v[i]);
	return true;
}

static bool add_entry(struct reader *reader, struct node *map, const struct entry *entry)
{
	for (size_t i = 0; i < map->entries.n; i++) {
		if (strcmp(map->entries.v[i].key, entry->key) != 0)
			continue;
		diag_error(reader->diag, STATUS_DESCRIPTION, &entry->key_pos, "duplicate-key", "\"%s\" is given twice", entry->key);
		diag_note(reader->diag, &map->entries.v[i].key_pos, "duplicate-key", "first given here");
		return true; /* go on: there may be more to say */
	}
	vec_push(reader->arena, &map->entries, *entry);
	return true;
}

/* Reads "KEY: VALUE"; false at the end of the map (`*ended`) or after an error. */
static bool read_entry(struct reader *reader, struct entry *entry, bool *ended)
{
	yaml_event_t event;
	if (!next_event(reader, &event))
		return false;
	*ended = event.type == YAML_MAPPING_END_EVENT;
	if (*ended) {
		yaml_event_delete(&event);
		return false;
	}
	struct node *key = read_node(reader, &event);
	if (!key)
		return false;
	if (key->kind != NODE_SCALAR)
		return refuse(reader, &key->pos, "syntax", "a key must be a text");
	if (!next_event(reader, &event))
		return false;
	*entry = (struct entry){key->text, key->pos, read_node(reader, &event)};
	return entry->value != NULL;
}

static struct node *read_map(struct reader *reader, const yaml_event_t *start)
{
	struct pos pos = mark_pos(reader, &start->start_mark, NULL);
	if (!check_tag(reader, start, start->data.mapping_start.tag))
		return NULL;
	size_t anchor = start->data.mapping_start.anchor ? reader->anchors.n : SIZE_MAX;
	remember_anchor(reader, start->data.mapping_start.anchor, NULL);
	struct node *map = node_new(reader->arena, NODE_MAP, &pos);
	VEC(struct entry) merges = {0};
	struct entry entry;
	bool ended = false;
	while (read_entry(reader, &entry, &ended)) {
		if (!weigh(reader, map, entry.value))
			return NULL;
		if (strcmp(entry.key, "<<") == 0)
			vec_push(reader->arena, &merges, entry);
		else if (!add_entry(reader, map, &entry))
			return NULL;
	}
	if (!ended)
		return NULL;
	for (size_t i = 0; i < merges.n; i++)
		if (!merge_into(reader, map, &merges.v[i]))
			return NULL;
	finish_anchor(reader, anchor, map);
	return map;
}

/* Takes the event over. NULL after an error. */
static struct node *read_node(struct reader *reader, yaml_event_t *event)
{
	struct node *node = NULL;
	if (reader->depth >= DOC_MAX_DEPTH) {
		struct pos pos = event_pos(reader, event);
		refuse(reader, &pos, "too-deep", "the description is nested too deeply");
		yaml_event_delete(event);
		return NULL;
	}
	reader->depth++;
	if (event->type == YAML_ALIAS_EVENT)
		node = read_alias(reader, event);
	else if (event->type == YAML_SCALAR_EVENT)
		node = read_scalar(reader, event);
	else if (event->type == YAML_SEQUENCE_START_EVENT)
		node = read_list(reader, event);
	else if (event->type == YAML_MAPPING_START_EVENT)
		node = read_map(reader, event);
	reader->depth--;
	yaml_event_delete(event);
	return node;
}

static bool read_stream(struct reader *reader, struct documents *documents)
{
	for (;;) {
		yaml_event_t event;
		if (!next_event(reader, &event))
			return false;
		yaml_event_type_t type = event.type;
		if (type == YAML_STREAM_END_EVENT) {
			yaml_event_delete(&event);
			return true;
		}
		if (type == YAML_STREAM_START_EVENT || type == YAML_DOCUMENT_START_EVENT || type == YAML_DOCUMENT_END_EVENT) {
			yaml_event_delete(&event);
			continue;
		}
		reader->anchors.n = 0;
		struct node *document = read_node(reader, &event);
		if (!document)
			return false;
		vec_push(reader->arena, documents, document);
	}
}

static bool parse(struct arena *arena, struct diag *diag, const char *name, const struct bytes *text, struct documents *documents)
{
	struct reader reader = {.arena = arena, .diag = diag, .file = name, .text = text};
	diag_add_source(diag, name, text->p, text->n);
	if (!yaml_parser_initialize(&reader.parser))
		return diag_error(diag, STATUS_FAILED, NULL, "out-of-memory", "libyaml cannot start");
	yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text->p, text->n);
	bool ok = read_stream(&reader, documents);
	yaml_parser_delete(&reader.parser);
	return ok;
}

bool doc_parse(struct arena *arena, struct diag *diag, const char *name, const struct bytes *text, struct documents *documents)
{
	size_t before = documents->n;
	if (!parse(arena, diag, name, text, documents))
		return false;
	struct pos start = {name, 1, 1, 1};
	if (documents->n == before)
		return diag_error(diag, STATUS_DESCRIPTION, &start, "empty-description", "the description is empty");
	for (size_t i = before; i < documents->n; i++)
		if (documents->v[i]->kind != NODE_MAP)
			return diag_error(diag, STATUS_DESCRIPTION, &documents->v[i]->pos, "not-a-map",
					  "a description is a map of options, as in \"hostName: web1\"");
	return true;
}

struct node *doc_parse_value(struct arena *arena, struct diag *diag, const char *name, const char *text)
{
	struct documents documents = {0};
	struct bytes *bytes = arena_alloc(arena, sizeof *bytes);
	*bytes = (struct bytes){text, strlen(text)};
	if (!parse(arena, diag, name, bytes, &documents))
		return NULL;
	if (documents.n == 1)
		return documents.v[0];
	struct pos start = {name, 1, 1, 1};
	struct node *nothing = node_new(arena, NODE_SCALAR, &start);
	nothing->text = "";
	return nothing;
}

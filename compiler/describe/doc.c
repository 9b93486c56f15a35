/* SPDX-License-Identifier: MIT */
#include "compiler/describe/doc.h"

#include <stdint.h>
#include <string.h>
#include <yaml.h>

#include "base/string_map.h"
#include "compiler/describe/json_text.h"

struct reader {
	struct arena *arena;
	struct diag *diag;
	const char *file;
	const struct bytes *text;
	unsigned first_column; /* column at which the text starts in its line, from 0 */
	yaml_parser_t parser;
	struct string_map anchors;   /* to the index in `anchored` */
	VEC(struct node *) anchored; /* NULL while the node is still being read */
	unsigned depth;
	size_t weight; /* sum of the weights of all documents so far */
};

/* ---- places and errors ---- */

static struct pos mark_pos(
	const struct reader *reader, const yaml_mark_t *from, const yaml_mark_t *to)
{
	unsigned indent = from->line == 0 ? reader->first_column : 0;
	struct pos pos = {
		reader->file, (unsigned)from->line + 1, (unsigned)from->column + indent + 1, 1};
	if (to && to->line == from->line && to->column > from->column)
		pos.width = (unsigned)(to->column - from->column);
	return pos;
}

static struct pos event_pos(const struct reader *reader, const yaml_event_t *event)
{
	return mark_pos(reader, &event->start_mark, &event->end_mark);
}

/* Returns the position of a byte; columns count characters. */
static struct pos offset_pos(const struct reader *reader, size_t offset)
{
	struct pos pos = {reader->file, 1, reader->first_column + 1, 1};
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

/* Returns the end of the text without trailing white space, for errors detected at its end. */
static struct pos end_pos(const struct reader *reader)
{
	size_t length = reader->text->n;
	while (length && strchr(" \t\r\n", reader->text->p[length - 1]))
		length--;
	return offset_pos(reader, length);
}

static struct pos problem_pos(const struct reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;
	if (parser->error == YAML_READER_ERROR)
		return offset_pos(reader, parser->problem_offset);
	const struct pos pos = mark_pos(reader, &parser->problem_mark, NULL), end = end_pos(reader);
	return pos.line > end.line ? end : pos;
}

/*
 * Messages for libyaml's (scanner.c, parser.c, reader.c), whose words are those of a parser's
 * author. `context` may be NULL for any. With `at_start` the place is where the value begins.
 */
static const struct wording {
	const char *problem, *context, *text;
	bool at_start;
	const char *note; /* at the beginning, if that is in another line */
} wordings[] = {
	{"mapping values are not allowed", NULL,
		"unexpected \": \"; quote a string that contains \": \"", false, NULL},
	{"could not find expected ':'", NULL, "expected \":\" after this key", true, NULL},
	{"did not find expected key", NULL,
		"expected a key; check the indentation, and quotation marks and brackets before "
		"this place",
		false, NULL},
	{"did not find expected '-' indicator", NULL,
		"expected \"- \" and the next element of the list; check the indentation", false,
		NULL},
	{"did not find expected ',' or ']'", NULL, "expected \",\" or \"]\"", false,
		"the list begins here"},
	{"did not find expected ',' or '}'", NULL, "expected \",\" or \"}\"", false,
		"the map begins here"},
	{"did not find expected node content", "flow", "expected a value or a closing bracket",
		false, NULL},
	{"did not find expected node content", NULL,
		"expected a value; quote a string that begins with this character", false, NULL},
	{"did not find expected <document start>", NULL,
		"unexpected text after the end of the description; check the brackets and the "
		"indentation before this place",
		false, NULL},
	{"block sequence entries are not allowed", NULL,
		"unexpected \"- \"; a list begins in the line below its key, and quote a string "
		"that begins with \"- \"",
		false, NULL},
	{"mapping keys are not allowed", NULL,
		"unexpected \"? \"; quote a string that begins with it", false, NULL},
	{"found unexpected end of stream", "quoted scalar",
		"the quotation mark that begins here is not closed", true, NULL},
	{"found unexpected document indicator", "quoted scalar",
		"the quotation mark that begins here is not closed", true, NULL},
	{"unknown escape character", NULL,
		"unknown escape sequence in double quotes; write \"\\\\\" for a backslash, or use "
		"single quotes",
		false, NULL},
	{"did not find expected hexdecimal number", NULL,
		"\"\\x\", \"\\u\" and \"\\U\" in double quotes expect 2, 4 or 8 hexadecimal digits",
		false, NULL},
	{"did not find expected alphabetic or numeric character", NULL,
		"quote a string that begins with \"&\" or \"*\"", true, NULL},
	{"did not find expected comment or line break", "block scalar",
		"expected the end of the line after \"|\" or \">\"", false, NULL},
	{"undefined tag handle", NULL, "quote a string that begins with \"!\"", false, NULL},
	{NULL, "scanning a tag", "quote a string that begins with \"!\"", true, NULL},
	{NULL, "scanning a directive", "quote a string that begins with \"%\"", true, NULL},
	{"UTF-8", NULL, "the text is not UTF-8, which a description must be", false, NULL},
	{"invalid Unicode character escape code", NULL,
		"the escape sequence is not a character of Unicode", false, NULL},
	{"invalid Unicode character", NULL, "the text is not UTF-8, which a description must be",
		false, NULL},
	{"control characters are not allowed", NULL,
		"unexpected control character; in double quotes it can be written as \"\\xNN\"",
		false, NULL},
};

static bool is_in(const char *part, const char *text)
{
	return !part || (text && strstr(text, part));
}

static const struct wording *find_wording(const char *problem, const char *context)
{
	for (size_t i = 0; i < countof(wordings); i++)
		if (is_in(wordings[i].problem, problem) && is_in(wordings[i].context, context))
			return &wordings[i];
	return NULL;
}

/* Whether the line up to a place has a ": " already. */
static bool has_colon_before(const struct reader *reader, const struct pos *pos)
{
	const char *line = reader->text->p, *newline = line;
	for (unsigned i = 1; i < pos->line; i++) {
		newline = strchr(line, '\n');
		if (!newline)
			return true; /* libyaml knows more kinds of line breaks */
		line = newline + 1;
	}
	const char *colon = strstr(line, ": ");
	newline = strchr(line, '\n');
	return colon && (!newline || colon < newline) && (size_t)(colon - line) + 1 < pos->column;
}

static const char *syntax_text(
	const struct reader *reader, const struct pos *pos, const struct wording *wording)
{
	const yaml_parser_t *parser = &reader->parser;
	const char *problem = parser->problem ? parser->problem : "unreadable text";
	/* the character that the scanner rejected */
	const char *next = (const char *)parser->buffer.pointer;
	if (is_in("cannot start any token", problem) || is_in("tab character", problem))
		return next < (const char *)parser->buffer.last && *next == '\t'
			? "indent with spaces, not tabs"
			: "quote a string that begins with this character";
	if (is_in("mapping values are not allowed", problem) && !has_colon_before(reader, pos))
		return "unexpected \":\"; the line above lacks one, or this line is indented too "
		       "far";
	if (wording)
		return wording->text;
	return parser->context ? arena_printf(reader->arena, "%s %s", problem, parser->context)
			       : problem;
}

static bool syntax_error(struct reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;
	const bool has_context = parser->error != YAML_READER_ERROR && parser->context;
	const struct wording *wording =
		find_wording(parser->problem, has_context ? parser->context : NULL);
	struct pos pos = problem_pos(reader);
	if (has_context && wording && wording->at_start)
		pos = mark_pos(reader, &parser->context_mark, NULL);
	diag_error(reader->diag, STATUS_DESCRIPTION, &pos, "syntax", "%s",
		syntax_text(reader, &pos, wording));
	if (has_context && wording && wording->note &&
		parser->context_mark.line < parser->problem_mark.line) {
		pos = mark_pos(reader, &parser->context_mark, NULL);
		diag_note(reader->diag, &pos, "syntax", "%s", wording->note);
	}
	return false;
}

static bool next_event(struct reader *reader, yaml_event_t *event)
{
	return yaml_parser_parse(&reader->parser, event) || syntax_error(reader);
}

static bool check_tag(struct reader *reader, const yaml_event_t *event, const yaml_char_t *tag)
{
	static const char *const known[] = {"!", YAML_STR_TAG, YAML_INT_TAG, YAML_BOOL_TAG,
		YAML_NULL_TAG, YAML_FLOAT_TAG, YAML_SEQ_TAG, YAML_MAP_TAG};
	if (!tag)
		return true;
	for (size_t i = 0; i < countof(known); i++)
		if (strcmp((const char *)tag, known[i]) == 0)
			return true;
	struct pos pos = event_pos(reader, event);
	return diag_error(reader->diag, STATUS_DESCRIPTION, &pos, "unknown-tag",
		"unknown tag \"%.80s\"; remove it", (const char *)tag);
}

static bool check_size(struct reader *reader, const struct node *node)
{
	if (node->height > DOC_MAX_DEPTH)
		return refuse(reader, &node->pos, "too-deep",
			"the description is nested too deeply through its aliases");
	if (node->entries.n > DOC_MAX_KEYS)
		return diag_error(reader->diag, STATUS_DESCRIPTION, &node->pos, "too-many-nodes",
			"a map has more than %d keys", DOC_MAX_KEYS);
	if (reader->weight + node->weight <= DOC_MAX_NODES)
		return true;
	return diag_error(reader->diag, STATUS_DESCRIPTION, &node->pos, "too-many-nodes",
		"the description has more than %d values; each use of an alias counts",
		DOC_MAX_NODES);
}

static bool weigh(struct reader *reader, struct node *parent, const struct node *child)
{
	parent->weight += child->weight;
	if (parent->height <= child->height)
		parent->height = child->height + 1;
	return check_size(reader, parent);
}

/* ---- anchors and aliases ---- */

/* Returns the index of the anchor, for finish_anchor, or SIZE_MAX if there is none. */
static size_t begin_anchor(struct reader *reader, const yaml_char_t *name)
{
	if (!name)
		return SIZE_MAX;
	string_map_set(reader->arena, &reader->anchors,
		arena_strdup(reader->arena, (const char *)name), reader->anchored.n);
	vec_push(reader->arena, &reader->anchored, NULL);
	return reader->anchored.n - 1;
}

static void finish_anchor(struct reader *reader, size_t anchor, struct node *node)
{
	if (anchor != SIZE_MAX)
		reader->anchored.v[anchor] = node;
}

static struct node *read_alias(struct reader *reader, const yaml_event_t *event)
{
	const char *name = (const char *)event->data.alias.anchor;
	struct pos pos = event_pos(reader, event);
	size_t anchor = string_map_find(&reader->anchors, name);
	if (anchor == SIZE_MAX) {
		diag_error(reader->diag, STATUS_DESCRIPTION, &pos, "alias",
			"there is no anchor \"&%.80s\" before this alias", name);
		return NULL;
	}
	const struct node *node = reader->anchored.v[anchor];
	if (!node) {
		diag_error(reader->diag, STATUS_DESCRIPTION, &pos, "alias",
			"the alias \"*%.80s\" is inside the value that it refers to", name);
		return NULL;
	}
	/* Errors in the value are reported at the alias. The value's parts are shared. */
	struct node *here = arena_alloc(reader->arena, sizeof *here);
	*here = *node;
	here->pos = pos;
	return here;
}

/* ---- values ---- */

static struct node *read_node(struct reader *reader, yaml_event_t *event);

static struct node *read_scalar(struct reader *reader, const yaml_event_t *event)
{
	struct pos pos = event_pos(reader, event);
	const char *text = (const char *)event->data.scalar.value;
	const yaml_char_t *tag = event->data.scalar.tag;
	if (!check_tag(reader, event, tag))
		return NULL;
	if (strlen(text) != event->data.scalar.length) {
		refuse(reader, &pos, "zero-byte", "a string must not contain a NUL byte");
		return NULL;
	}
	size_t anchor = begin_anchor(reader, event->data.scalar.anchor);
	struct node *node = node_new(reader->arena, NODE_SCALAR, &pos);
	node->text = arena_strndup(reader->arena, text, event->data.scalar.length);
	node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE ||
		(tag &&
			(strcmp((const char *)tag, "!") == 0 ||
				strcmp((const char *)tag, YAML_STR_TAG) == 0));
	finish_anchor(reader, anchor, node);
	return node;
}

static struct node *read_list(struct reader *reader, const yaml_event_t *start)
{
	struct pos pos = mark_pos(reader, &start->start_mark, NULL);
	if (!check_tag(reader, start, start->data.sequence_start.tag))
		return NULL;
	size_t anchor = begin_anchor(reader, start->data.sequence_start.anchor);
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

/*
 * Merges `<<: *base` or `<<: [*a, *b]`: adds keys that the map does not have; the first source
 * wins.
 */
static bool merge_into(
	struct reader *reader, struct node *map, const struct node *source, bool in_list)
{
	if (source->kind == NODE_LIST && !in_list) {
		for (size_t i = 0; i < source->items.n; i++)
			if (!merge_into(reader, map, source->items.v[i], true))
				return false;
		return true;
	}
	if (source->kind != NODE_MAP)
		return refuse(reader, &source->pos, "merge-key",
			"\"<<\" requires a map or a list of maps");
	for (size_t i = 0; i < source->entries.n; i++)
		if (!node_find(map, source->entries.v[i].key))
			node_add(reader->arena, map, &source->entries.v[i]);
	return check_size(reader, map);
}

static void add_entry(struct reader *reader, struct node *map, const struct entry *entry)
{
	const struct entry *first = node_find(map, entry->key);
	if (!first) {
		node_add(reader->arena, map, entry);
		return;
	}
	/* Go on, to report further errors. */
	diag_error(reader->diag, STATUS_DESCRIPTION, &entry->key_pos, "duplicate-key",
		"\"%.80s\" is given twice", entry->key);
	diag_note(reader->diag, &first->key_pos, "duplicate-key", "first given here");
}

/*
 * Reads "KEY: VALUE", where the key is a scalar. Returns false at the end of the map (`*ended`) or
 * after an error.
 */
static bool read_entry(struct reader *reader, struct node **key, struct node **value, bool *ended)
{
	yaml_event_t event;
	if (!next_event(reader, &event))
		return false;
	*ended = event.type == YAML_MAPPING_END_EVENT;
	if (*ended) {
		yaml_event_delete(&event);
		return false;
	}
	*key = read_node(reader, &event);
	if (!*key)
		return false;
	if ((*key)->kind == NODE_MAP)
		return refuse(reader, &(*key)->pos, "syntax",
			"a key must be a string; a value that begins with { needs quotes");
	if ((*key)->kind != NODE_SCALAR)
		return refuse(reader, &(*key)->pos, "syntax", "a key must be a string");
	if (!next_event(reader, &event))
		return false;
	*value = read_node(reader, &event);
	return *value != NULL;
}

static struct node *read_map(struct reader *reader, const yaml_event_t *start)
{
	struct pos pos = mark_pos(reader, &start->start_mark, NULL);
	if (!check_tag(reader, start, start->data.mapping_start.tag))
		return NULL;
	size_t anchor = begin_anchor(reader, start->data.mapping_start.anchor);
	struct node *map = node_new(reader->arena, NODE_MAP, &pos), *key = NULL, *value = NULL;
	VEC(const struct node *) sources = {0};
	bool ended = false;
	while (read_entry(reader, &key, &value, &ended)) {
		if (strcmp(key->text, "<<") == 0 && !key->quoted)
			vec_push(reader->arena, &sources, value);
		else
			add_entry(reader, map, &(struct entry){key->text, key->pos, value});
		if (!weigh(reader, map, value))
			return NULL;
	}
	for (size_t i = 0; ended && i < sources.n; i++)
		if (!merge_into(reader, map, sources.v[i], false))
			return NULL;
	finish_anchor(reader, anchor, map);
	return ended ? map : NULL;
}

/* Takes ownership of the event. Returns NULL after an error. */
static struct node *read_node(struct reader *reader, yaml_event_t *event)
{
	struct node *node = NULL;
	if (reader->depth >= DOC_MAX_DEPTH) {
		struct pos pos = event_pos(reader, event);
		diag_error(reader->diag, STATUS_DESCRIPTION, &pos, "too-deep",
			"the description is nested deeper than %d levels", DOC_MAX_DEPTH);
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

/* ---- documents ---- */

static bool add_document(struct reader *reader, struct documents *documents, struct node *document)
{
	reader->anchors = (struct string_map){0}; /* anchors are local to their document */
	reader->weight += document->weight;
	vec_push(reader->arena, documents, document);
	return documents->n <= DOC_MAX_DOCUMENTS ||
		diag_error(reader->diag, STATUS_DESCRIPTION, &document->pos, "too-many-nodes",
			"there are more than %d documents in one file", DOC_MAX_DOCUMENTS);
}

static bool read_stream(struct reader *reader, struct documents *documents)
{
	for (;;) {
		yaml_event_t event;
		if (!next_event(reader, &event))
			return false;
		yaml_event_type_t type = event.type;
		if (type == YAML_STREAM_START_EVENT || type == YAML_STREAM_END_EVENT ||
			type == YAML_DOCUMENT_START_EVENT || type == YAML_DOCUMENT_END_EVENT) {
			yaml_event_delete(&event);
			if (type == YAML_STREAM_END_EVENT)
				return true;
			continue;
		}
		struct node *document = read_node(reader, &event);
		if (!document || !add_document(reader, documents, document))
			return false;
	}
}

static bool parse(struct arena *arena, struct diag *diag, const char *name,
	const struct bytes *text, unsigned first_column, struct documents *documents)
{
	struct reader reader = {.arena = arena,
		.diag = diag,
		.file = name,
		.text = text,
		.first_column = first_column};
	if (!yaml_parser_initialize(&reader.parser))
		return diag_error(
			diag, STATUS_FAILED, NULL, "out-of-memory", "cannot initialize libyaml");
	yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text->p, text->n);
	bool ok = read_stream(&reader, documents);
	yaml_parser_delete(&reader.parser);
	return ok;
}

static struct bytes without_bom(const struct bytes *text)
{
	static const char bom[] = "\xef\xbb\xbf";
	size_t skip = text->n >= 3 && memcmp(text->p, bom, 3) == 0 ? 3 : 0;
	return (struct bytes){text->p + skip, text->n - skip};
}

/* JSON files of other tools may have comments, which YAML would read as parts of values. */
static bool check_comments(struct diag *diag, const char *name, const struct bytes *text)
{
	size_t offset;
	if (!json_text_find_comment(text, &offset))
		return true;
	const struct reader reader = {.file = name, .text = text};
	struct pos pos = offset_pos(&reader, offset);
	pos.width = 2;
	return diag_error(diag, STATUS_DESCRIPTION, &pos, "syntax",
		"JSON has no comments; remove it, or write YAML, where comments begin with #");
}

bool doc_parse(struct arena *arena, struct diag *diag, const char *name, const struct bytes *text,
	struct documents *documents)
{
	struct documents read = {0};
	struct bytes readable = json_text_join_surrogates(arena, without_bom(text));
	diag_add_source(diag, name, readable.p, readable.n);
	if (!check_comments(diag, name, &readable) ||
		!parse(arena, diag, name, &readable, 0, &read))
		return false;
	bool ok = true;
	for (size_t i = 0; i < read.n; i++) {
		if (read.v[i]->kind != NODE_MAP)
			ok = diag_error(diag, STATUS_DESCRIPTION, &read.v[i]->pos, "not-a-map",
				"a description must be a map of options, such as \"hostName: "
				"web1\"");
		vec_push(arena, documents, read.v[i]);
	}
	struct pos start = {name, 1, 1, 1};
	return read.n ? ok
		      : diag_error(diag, STATUS_DESCRIPTION, &start, "empty-description",
				"the description is empty");
}

static unsigned characters(const char *text, size_t bytes)
{
	unsigned count = 0;
	for (size_t i = 0; i < bytes; i++)
		count += ((unsigned char)text[i] & 0xc0) != 0x80;
	return count;
}

struct node *doc_parse_value(
	struct arena *arena, struct diag *diag, const char *name, const char *text, size_t skip)
{
	struct documents read = {0};
	const struct bytes bytes = {text + skip, strlen(text + skip)};
	struct pos start = {name, 1, characters(text, skip) + 1, 1};
	if (!parse(arena, diag, name, &bytes, start.column - 1, &read))
		return NULL;
	if (read.n == 1)
		return read.v[0];
	if (read.n) {
		diag_error(diag, STATUS_DESCRIPTION, &read.v[1]->pos, "syntax",
			"expected a single value, found a second document");
		return NULL;
	}
	struct node *nothing = node_new(arena, NODE_SCALAR, &start);
	nothing->text = "";
	return nothing;
}

/* SPDX-License-Identifier: MIT */
/*
 * text: reads the line formats in which Nix describes store paths:
 *   registration (`nix-store --dump-db`, closureInfo): path, NAR hash, NAR size, deriver or empty
 *     line, number of references, references
 *   exportReferencesGraph: path, deriver or empty line, number of references, references
 *   list (`nix-store -qR`, closureInfo's store-paths): paths
 */
#include <inttypes.h>
#include <string.h>

#include "compiler/closure/source.h"

struct line {
	const char *text; /* without the newline, not NUL-terminated */
	size_t length;
};

struct reader {
	struct closure_table *table;
	const char *file;
	const char *next, *end;
	unsigned number; /* line number of the last line read */
};

static struct pos reader_pos(const struct reader *reader)
{
	return (struct pos){reader->file, reader->number, 1, 0};
}

static bool reader_next(struct reader *reader, struct line *line)
{
	*line = (struct line){reader->end, 0};
	if (reader->next == reader->end)
		return false;
	const char *newline = memchr(reader->next, '\n', (size_t)(reader->end - reader->next));
	const char *stop = newline ? newline : reader->end;
	*line = (struct line){reader->next, (size_t)(stop - reader->next)};
	reader->next = newline ? newline + 1 : stop;
	reader->number++;
	return true;
}

static bool reader_error(struct reader *reader, const char *text)
{
	struct pos where = reader_pos(reader);
	return closure_error(reader->table, &where, "closure-syntax", "%s", text);
}

static bool expect_line(
	struct reader *reader, struct line *line, const char *what, const char *path)
{
	if (reader_next(reader, line))
		return true;
	struct pos where = reader_pos(reader);
	return closure_error(reader->table, &where, "closure-syntax",
		"the file ends where %s of %s should be", what, path);
}

/* Accepts only decimal digits, and values up to INT64_MAX. */
static bool number_parse(const struct line *line, int64_t *number)
{
	*number = 0;
	for (size_t i = 0; i < line->length; i++) {
		int digit = line->text[i] - '0';
		if (digit < 0 || digit > 9 || *number > (INT64_MAX - digit) / 10)
			return false;
		*number = *number * 10 + digit;
	}
	return line->length > 0;
}

static bool expect_number(
	struct reader *reader, const char *what, const char *path, int64_t *number)
{
	struct line line;
	if (!expect_line(reader, &line, what, path))
		return false;
	if (number_parse(&line, number))
		return true;
	struct pos where = reader_pos(reader);
	return closure_error(reader->table, &where, "closure-syntax",
		"%s of %s must be a number, found \"%.*s\"", what, path,
		line.length < 100 ? (int)line.length : 100, line.text);
}

static bool read_hash(struct reader *reader, struct store_path *info)
{
	struct line line;
	if (!expect_line(reader, &line, "the NAR hash", info->path))
		return false;
	struct pos where = reader_pos(reader);
	info->nar_hash = closure_table_hash(reader->table, &where, info->path,
		arena_strndup(reader->table->arena, line.text, line.length));
	return info->nar_hash && expect_number(reader, "the NAR size", info->path, &info->nar_size);
}

static bool read_deriver(struct reader *reader, struct store_path *info)
{
	struct line line;
	if (!expect_line(reader, &line, "the deriver", info->path))
		return false;
	if (line.length == 0)
		return true;
	struct pos where = reader_pos(reader);
	info->deriver = closure_table_deriver(reader->table, &where, info->path,
		arena_strndup(reader->table->arena, line.text, line.length));
	return info->deriver;
}

static bool read_references(struct reader *reader, struct store_path *info)
{
	int64_t count;
	if (!expect_number(reader, "the number of references", info->path, &count))
		return false;
	/*
	 * Every reference is a line of at least this length, so a wrong count cannot make us
	 * allocate more than a multiple of the file's size.
	 */
	size_t shortest = strlen(reader->table->store_dir) + sizeof "/-n\n" + 31;
	if ((uint64_t)count > (size_t)(reader->end - reader->next) / shortest + 1)
		return reader_error(reader,
			"the number of references is larger than the rest of the file can hold");
	size_t *refs = arena_alloc(reader->table->arena, (size_t)count * sizeof *refs);
	for (int64_t i = 0; i < count; i++) {
		struct line line;
		if (!expect_line(reader, &line, "a reference", info->path))
			return false;
		struct pos where = reader_pos(reader);
		refs[i] = closure_table_add(
			reader->table, &where, "reference", line.text, line.length);
		if (refs[i] == SIZE_MAX)
			return false;
	}
	info->refs = refs;
	info->nrefs = (size_t)count;
	return true;
}

static bool read_entries(struct reader *reader, bool hashes)
{
	for (struct line line; reader_next(reader, &line);) {
		struct pos where = reader_pos(reader);
		size_t entry =
			closure_table_add(reader->table, &where, "line", line.text, line.length);
		if (entry == SIZE_MAX)
			return false;
		struct store_path info = {
			.path = reader->table->entries.v[entry].info.path, .nar_size = -1};
		if ((hashes && !read_hash(reader, &info)) || !read_deriver(reader, &info) ||
			!read_references(reader, &info) ||
			!closure_table_describe(reader->table, entry, &info, &where))
			return false;
	}
	return true;
}

/* A list contains no references: we search the contents for them. All listed paths are wanted. */
static bool read_list(struct reader *reader)
{
	bool ok = true;
	for (struct line line; reader_next(reader, &line);) {
		struct pos where = reader_pos(reader);
		size_t entry =
			closure_table_add(reader->table, &where, "line", line.text, line.length);
		if (entry == SIZE_MAX)
			ok = false;
		else
			closure_table_describe(
				reader->table, entry, &(struct store_path){.nar_size = -1}, &where);
	}
	reader->table->whole = true;
	return ok && closure_scan_listed(reader->table);
}

enum text_kind { TEXT_LIST, TEXT_GRAPH, TEXT_REGISTRATION };

/*
 * The first three lines identify the format: after a path comes a hash (registration), a deriver or
 * an empty line and then a number (graph), or another path (list).
 */
static enum text_kind text_kind(struct reader reader)
{
	struct line first, second, third;
	if (!reader_next(&reader, &first) || !reader_next(&reader, &second))
		return TEXT_LIST;
	if (second.length && second.text[0] != '/')
		return TEXT_REGISTRATION;
	bool numbered = reader_next(&reader, &third) && third.length && third.text[0] != '/';
	return second.length == 0 || numbered ? TEXT_GRAPH : TEXT_LIST;
}

bool closure_text_load(struct closure_table *table, const char *file, const struct bytes *text)
{
	struct reader reader = {
		.table = table, .file = file, .next = text->p, .end = text->p + text->n};
	if (memchr(text->p, 0, text->n))
		return closure_error(table, &(struct pos){.file = file}, "closure-syntax",
			"this is not a text file: it contains a NUL byte");
	switch (text_kind(reader)) {
	case TEXT_LIST:
		return read_list(&reader);
	case TEXT_GRAPH:
		return read_entries(&reader, false);
	case TEXT_REGISTRATION:
		return read_entries(&reader, true);
	}
	return false;
}

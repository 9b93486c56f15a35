/* SPDX-License-Identifier: MIT */
/*
 * The format is an ATerm: Derive([("out","/nix/store/…","",""),…],…), or DrvWithVersion("…",[…],…)
 * in newer versions.
 */
#include "imaging/store/derivation.h"

#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/file.h"

enum { LIMIT_BYTES = 256 * 1024 * 1024 };

struct reader {
	struct arena *arena;
	const char *at; /* the text ends with a 0 byte, which no literal matches */
};

static bool match(struct reader *reader, const char *literal)
{
	size_t length = strlen(literal);
	if (strncmp(reader->at, literal, length) != 0)
		return false;
	reader->at += length;
	return true;
}

static char unescaped(char c)
{
	return c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c;
}

static bool read_string(struct reader *reader, const char **out)
{
	BUF_CLEANUP struct buf text = {0};
	if (!match(reader, "\""))
		return false;
	while (*reader->at && *reader->at != '"') {
		bool escaped = *reader->at == '\\' && reader->at[1];
		char c = escaped ? unescaped(*++reader->at) : *reader->at;
		buf_add(&text, &c, 1);
		reader->at++;
	}
	*out = arena_strdup(reader->arena, buf_text(&text));
	return match(reader, "\"");
}

static bool read_field(struct reader *reader, const char *before, const char **out)
{
	return match(reader, before) && read_string(reader, out);
}

/* ("name","path","hash algorithm","hash") */
static bool read_output(struct reader *reader, struct derivation_output *output)
{
	const char *algorithm, *hash;
	if (!read_field(reader, "(", &output->name) || !read_field(reader, ",", &output->path))
		return false;
	if (!read_field(reader, ",", &algorithm) || !read_field(reader, ",", &hash))
		return false;
	return match(reader, ")");
}

static bool read_start(struct reader *reader)
{
	const char *version;
	if (match(reader, "Derive("))
		return true;
	return match(reader, "DrvWithVersion(") && read_string(reader, &version) &&
		match(reader, ",");
}

static bool read_outputs(struct reader *reader, struct derivation_outputs *out)
{
	struct derivation_output output;
	if (!read_start(reader) || !match(reader, "["))
		return false;
	do {
		if (!read_output(reader, &output))
			return false;
		vec_push(reader->arena, out, output);
	} while (match(reader, ","));
	return match(reader, "],");
}

bool derivation_read_outputs(
	struct arena *arena, struct diag *diag, const char *path, struct derivation_outputs *out)
{
	struct bytes text;
	*out = (struct derivation_outputs){0};
	if (!file_read(arena, diag, path, LIMIT_BYTES, &text))
		return false;
	struct reader reader = {arena, text.p};
	return read_outputs(&reader, out) ||
		diag_error(diag, STATUS_INPUT, NULL, "broken-derivation", "%s is not a derivation",
			path);
}

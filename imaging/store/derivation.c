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

static bool take(struct reader *reader, const char *literal)
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

static bool take_string(struct reader *reader, const char **out)
{
	BUF_CLEANUP struct buf text = {0};
	if (!take(reader, "\""))
		return false;
	while (*reader->at && *reader->at != '"') {
		bool escaped = *reader->at == '\\' && reader->at[1];
		char c = escaped ? unescaped(*++reader->at) : *reader->at;
		buf_add(&text, &c, 1);
		reader->at++;
	}
	*out = arena_strdup(reader->arena, buf_text(&text));
	return take(reader, "\"");
}

/* ("name","path","hash algorithm","hash") */
static bool take_output(struct reader *reader, struct derivation_output *output)
{
	const char *algorithm, *hash;
	return take(reader, "(") && take_string(reader, &output->name) && take(reader, ",") &&
		take_string(reader, &output->path) && take(reader, ",") &&
		take_string(reader, &algorithm) && take(reader, ",") &&
		take_string(reader, &hash) && take(reader, ")");
}

static bool take_outputs(struct reader *reader, struct derivation_outputs *out)
{
	const char *version;
	struct derivation_output output;
	if (!take(reader, "Derive(") &&
		!(take(reader, "DrvWithVersion(") && take_string(reader, &version) &&
			take(reader, ",")))
		return false;
	if (!take(reader, "["))
		return false;
	do {
		if (!take_output(reader, &output))
			return false;
		vec_push(reader->arena, out, output);
	} while (take(reader, ","));
	return take(reader, "],");
}

bool derivation_read_outputs(
	struct arena *arena, struct diag *diag, const char *path, struct derivation_outputs *out)
{
	struct bytes text;
	*out = (struct derivation_outputs){0};
	if (!file_read(arena, diag, path, LIMIT_BYTES, &text))
		return false;
	struct reader reader = {arena, text.p};
	return take_outputs(&reader, out) ||
		diag_error(diag, STATUS_INPUT, NULL, "broken-derivation", "%s is not a derivation",
			path);
}

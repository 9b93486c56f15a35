/* SPDX-License-Identifier: MIT */
#include "imaging/kernel/parameters.h"

#include <string.h>

/* The kernel's isspace includes the byte 0xa0, even inside a UTF-8 character (lib/ctype.c). */
static const char blanks[] = " \t\n\v\f\r\xa0";

static bool is_control(char c)
{
	return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f;
}

const char *parameter_problem(const char *text)
{
	bool quoted = false, quotes = strchr(text, '"') != NULL, blank_outside = false;
	if (strcmp(text, "--") == 0)
		return "the kernel passes everything after \"--\" to init, including the "
		       "parameters that mvmbuild adds";
	for (; *text; text++) {
		if (is_control(*text))
			return "a kernel parameter cannot contain a line break or another control "
			       "character";
		quoted ^= *text == '"';
		blank_outside |= !quoted && strchr(blanks, *text) != NULL;
	}
	if (quoted)
		return "a quotation mark is not closed, so the kernel would read everything that "
		       "follows, including init=, as part of this parameter";
	if (quotes && blank_outside)
		return "the kernel would start another parameter at the blank outside the "
		       "quotation marks";
	return NULL;
}

const char *parameter_quoted(struct arena *arena, const char *text)
{
	/* The kernel never takes the first character for the equals sign. */
	const char *equals = *text ? strchr(text + 1, '=') : NULL, *blank = strpbrk(text, blanks);
	if (!blank || strchr(text, '"'))
		return text;
	if (!equals || blank < equals)
		return arena_printf(arena, "\"%s\"", text);
	return arena_printf(arena, "%.*s=\"%s\"", (int)(equals - text), text, equals + 1);
}

const char *parameter_value(struct arena *arena, const char *text, const char *name)
{
	size_t length = strlen(name);
	bool whole = *text == '"';
	if (strncmp(text + whole, name, length) != 0 || text[whole + length] != '=')
		return NULL;
	const char *value = text + whole + length + 1;
	whole |= *value == '"';
	value += *value == '"';
	size_t end = strlen(value);
	return arena_strndup(arena, value, whole && end && value[end - 1] == '"' ? end - 1 : end);
}

/* Splits at separators outside quotation marks. */
static void split(
	struct arena *arena, const char *line, const char *separators, struct strings *list)
{
	for (line += strspn(line, separators); *line; line += strspn(line, separators)) {
		size_t length = 0;
		for (bool quoted = false;
			line[length] && (quoted || !strchr(separators, line[length])); length++)
			quoted ^= line[length] == '"';
		vec_push(arena, list, arena_strndup(arena, line, length));
		line += length;
	}
}

void parameters_split(struct arena *arena, const char *line, struct strings *list)
{
	split(arena, line, blanks, list);
}

void parameters_split_element(struct arena *arena, const char *text, struct strings *list)
{
	split(arena, text, " \t", list);
}

/* SPDX-License-Identifier: MIT */
#include "compiler/command/nixgen.h"

#include <string.h>

#include "base/buf.h"
#include "base/shape.h"
#include "compiler/command/docgen.h"
#include "compiler/describe/doc.h"
#include "compiler/describe/options.h"

enum { COLUMNS = 100, INDENT = 2 };

struct writer {
	struct arena *arena;
	FILE *out;
	int depth; /* levels of indentation */
};

/* Returns how much of `text` fits into `room`: up to a blank that is not in a string. */
static size_t fitting(const char *text, size_t room)
{
	size_t shown = 0;
	bool in_string = false;
	for (size_t i = 0; text[i] && (i <= room || !shown); i++) {
		if (text[i] == '"' && (!i || text[i - 1] != '\\'))
			in_string = !in_string;
		if (text[i] == ' ' && !in_string)
			shown = i;
	}
	return strlen(text) <= room || !shown ? strlen(text) : shown;
}

/* Prints code, which is broken where it is too long. */
static void line(const struct writer *writer, const char *text)
{
	int depth = writer->depth;
	do {
		const size_t shown = fitting(text, COLUMNS - (size_t)(depth * INDENT));
		fprintf(writer->out, "%*s%.*s\n", depth * INDENT, "", (int)shown, text);
		text += shown + (text[shown] == ' ');
		depth = writer->depth + 1;
	} while (*text);
}

static struct writer inside(const struct writer *writer)
{
	return (struct writer){writer->arena, writer->out, writer->depth + 1};
}

/* ---- values ---- */

static void put_string(struct buf *buf, const char *text)
{
	buf_puts(buf, "\"");
	for (; *text; text++) {
		if (*text == '"' || *text == '\\' || (*text == '$' && text[1] == '{'))
			buf_puts(buf, "\\");
		buf_add(buf, text, 1);
	}
	buf_puts(buf, "\"");
}

static bool is_literal(const struct node *scalar)
{
	static const char *const words[] = {"true", "false", "null"};
	if (scalar->quoted)
		return false;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(scalar->text, words[i]) == 0)
			return true;
	return *scalar->text && scalar->text[strspn(scalar->text, "0123456789")] == '\0';
}

static void put_value(struct buf *buf, const struct node *node)
{
	switch (node->kind) {
	case NODE_SCALAR:
		if (is_literal(node))
			buf_puts(buf, node->text);
		else
			put_string(buf, node->text);
		break;
	case NODE_LIST:
		buf_puts(buf, "[ ");
		for (size_t i = 0; i < node->items.n; i++) {
			put_value(buf, node->items.v[i]);
			buf_puts(buf, " ");
		}
		buf_puts(buf, "]");
		break;
	case NODE_MAP:
		buf_puts(buf, "{ ");
		for (size_t i = 0; i < node->entries.n; i++) {
			buf_printf(buf, "%s = ", node->entries.v[i].key);
			put_value(buf, node->entries.v[i].value);
			buf_puts(buf, "; ");
		}
		buf_puts(buf, "}");
		break;
	}
}

/* Prints `NAME = VALUE;` for a value in the syntax of a description. */
static void value_line(const struct writer *writer, const char *name, const char *yaml)
{
	BUF_CLEANUP struct buf text = {0};
	struct diag *diag = diag_new(writer->arena);
	buf_puts(&text, name);
	buf_puts(&text, " = ");
	put_value(&text, doc_parse_value(writer->arena, diag, name, yaml, 0));
	buf_puts(&text, ";");
	line(writer, buf_text(&text));
}

/* ---- types ---- */

static bool fits(const struct option *option, const char *text)
{
	return option->shape && option->shape->fits(text);
}

/* A number for people, such as a version or a number of threads, may also be a number in Nix. */
static const char *string_type(const struct option *option)
{
	if (option->package)
		return "package";
	if (option->code && option->def)
		return "lines";
	if (fits(option, "1") && !fits(option, "a"))
		return fits(option, "1.5") ? "number" : "count";
	return option->base == PATH_FROM_FILE ? "input" : "str";
}

static const char *range_type(const struct writer *writer, const struct option *option)
{
	return arena_printf(writer->arena, "between %lld %lld", (long long)option->minimum,
		(long long)option->maximum);
}

static const char *enum_type(const struct writer *writer, const struct option *option)
{
	BUF_CLEANUP struct buf text = {0};
	buf_puts(&text, "enum [ ");
	for (const char *const *choice = option->choices; *choice; choice++) {
		put_string(&text, *choice);
		buf_puts(&text, " ");
	}
	buf_puts(&text, "]");
	return arena_printf(writer->arena, "%s", buf_text(&text));
}

/* The type of a value without options of its own. */
static const char *plain_type(const struct writer *writer, const struct option *option)
{
	switch (option->kind) {
	case OPTION_STRING:
		return string_type(option);
	case OPTION_BOOL:
		return "bool";
	case OPTION_INT:
	case OPTION_UINT:
		return range_type(writer, option);
	case OPTION_MIB:
		/* microvm.nix demands the size of an existing volume too: 0 is not given. */
		return arena_printf(writer->arena, "mib %lld %lld",
			option->def ? (long long)option->minimum : 0, (long long)option->maximum);
	case OPTION_ENUM:
	case OPTION_BACKEND:
		return enum_type(writer, option);
	case OPTION_STRINGS:
		return option->base == PATH_FROM_FILE ? "listOf input" : "listOf str";
	case OPTION_PAIRS:
		return option->code    ? "attrsOf lines"
			: option->base ? "attrsOf file"
				       : "attrsOf str";
	case OPTION_TREE:
		return "json";
	case OPTION_GROUP:
	case OPTION_LIST:
	case OPTION_MAP:
	case OPTION_NONE:
		break;
	}
	return "unspecified";
}

/*
 * An option that is not given is null, or empty where null cannot differ from that. A choice may be
 * null although it has a default, as in microvm.nix.
 */
static bool may_be_null(const struct option *option)
{
	const bool is_collection = option->kind == OPTION_STRINGS || option->kind == OPTION_PAIRS;
	if (option->required && !option->unless)
		return false;
	if (option->kind == OPTION_ENUM)
		return true;
	return !option->def && (option->def_doc || !is_collection);
}

static void default_line(const struct writer *writer, const struct option *option)
{
	if (option->def)
		value_line(writer, "default", option->def);
	else if (may_be_null(option))
		line(writer, "default = null;");
	else if (!option->required)
		line(writer, option->kind == OPTION_STRINGS ? "default = [ ];" : "default = { };");
}

static void type_and_default(const struct writer *writer, const struct option *option)
{
	const char *type = plain_type(writer, option);
	const char *form = !may_be_null(option) ? "type = %s;"
		: strchr(type, ' ')             ? "type = nullOr (%s);"
						: "type = nullOr %s;";
	line(writer, arena_printf(writer->arena, form, type));
	default_line(writer, option);
	if (option->example)
		value_line(writer, "example", option->example);
}

/* ---- options ---- */

static void table(const struct writer *writer, const struct option *options);

static const char *described(const struct writer *writer, const struct option *option)
{
	if (option->def_doc)
		return arena_printf(writer->arena, "%s Default: %s.", option->doc, option->def_doc);
	return option->doc;
}

/* For a text between pairs of single quotes. */
static const char *escaped(const struct writer *writer, const char *text)
{
	BUF_CLEANUP struct buf out = {0};
	for (; *text; text++) {
		if (strncmp(text, "''", 2) == 0 || strncmp(text, "${", 2) == 0)
			buf_puts(&out, *text == '$' ? "''" : "'");
		buf_add(&out, text, 1);
	}
	return arena_printf(writer->arena, "%s", buf_text(&out));
}

static void description(const struct writer *writer, const struct option *option)
{
	const char *text = escaped(writer, described(writer, option));
	const struct writer inner = inside(writer);
	const size_t room = COLUMNS - (size_t)(inner.depth * INDENT);
	line(writer, "description = ''");
	while (*text) {
		size_t shown = strlen(text);
		if (shown > room)
			for (shown = room; shown && text[shown] != ' ';)
				shown--;
		if (!shown)
			shown = strcspn(text, " ");
		fprintf(writer->out, "%*s%.*s\n", inner.depth * INDENT, "", (int)shown, text);
		text += shown + (text[shown] == ' ');
	}
	line(writer, "'';");
}

static void elements(const struct writer *writer, const struct option *option)
{
	const bool is_list = option->kind == OPTION_LIST;
	const struct writer inner = inside(writer);
	line(writer, is_list ? "type = listOf (submodule {" : "type = attrsOf (submodule {");
	line(&inner, "options = {");
	const struct writer options = inside(&inner);
	table(&options, option->sub);
	line(&inner, "};");
	line(writer, "});");
	line(writer, is_list ? "default = [ ];" : "default = { };");
	if (option->example)
		value_line(writer, "example", option->example);
}

static void declaration(const struct writer *writer, const struct option *option)
{
	const struct writer inner = inside(writer);
	if (option->kind == OPTION_GROUP) {
		line(writer, arena_printf(writer->arena, "%s = {", option->name));
		table(&inner, option->sub);
		line(writer, "};");
		return;
	}
	line(writer, arena_printf(writer->arena, "%s = mkOption {", option->name));
	if (option->sub)
		elements(&inner, option);
	else
		type_and_default(&inner, option);
	description(&inner, option);
	line(writer, "};");
}

static void table(const struct writer *writer, const struct option *options)
{
	for (; options->name; options++)
		if (options->state == OPTION_READY)
			declaration(writer, options);
}

void nixgen_options(struct arena *arena, FILE *out)
{
	const struct writer top = {arena, out, 0}, options = {arena, out, 2};
	static const char *const head[] = {
		"# SPDX-License-Identifier: MIT",
		"# Printed by `mvmbuild options --nix` from the table of options; do not edit.",
		"{ lib, ... }:",
		"",
		"let",
		"  inherit (lib) mkOption;",
		"  inherit (lib.types) attrsOf bool either enum float int lines listOf "
		"nullOr package path",
		"    str strMatching submodule;",
		"  inherit (lib.types.ints) between unsigned;",
		"",
		"  # A number of MiB, or a text such as \"2G\".",
		"  mib = minimum: maximum: either (between minimum maximum)",
		"    (strMatching \"[0-9]+ *(M|MiB|G|GiB|T|TiB)?\");",
		"  # Such as a version, 9.1, or a number of threads, 4.",
		"  number = either str (either int float);",
		"  count = either str unsigned;",
		"  # What the build reads: a package, a path, or a word in its place.",
		"  input = either path str;",
		"  # A file on the host, which is read when the VM starts.",
		"  file = either path str;",
		"  json = (either",
		"    (nullOr (either bool (either int (either float (either str path)))))",
		"    (either (attrsOf json) (listOf json))) // {",
		"      description = \"value of JSON\";",
		"    };",
		"in",
		"{",
		"  options.microvm = {",
		NULL,
	};
	for (const char *const *text = head; *text; text++)
		line(&top, *text);
	table(&options, vm_options(arena));
	line(&top, "  };");
	line(&top, "}");
}

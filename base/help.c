/* SPDX-License-Identifier: MIT */
#include "base/help.h"

#include <string.h>

#include "base/arguments.h"
#include "base/buf.h"

enum { WIDTH = 80, TEXT_COLUMN = 28, HEAD_BYTES = 80 };

/* Prints words from `column` on; further lines begin at `indent`. */
static void print_wrapped(FILE *out, const char *text, int column, int indent)
{
	bool first = true;
	while (*(text += strspn(text, " "))) {
		const int length = (int)strcspn(text, " ");
		if (!first && column + 1 + length > WIDTH) {
			fprintf(out, "\n%*s", indent, "");
			column = indent;
			first = true;
		}
		fprintf(out, "%s%.*s", first ? "" : " ", length, text);
		column += length + !first;
		text += length;
		first = false;
	}
	putc('\n', out);
}

void help_item(FILE *out, const char *head, const char *text)
{
	const int length = fprintf(out, "  %s", head);
	if (length + 2 > TEXT_COLUMN)
		fprintf(out, "\n%*s", TEXT_COLUMN, "");
	else
		fprintf(out, "%*s", TEXT_COLUMN - length, "");
	print_wrapped(out, text, TEXT_COLUMN, TEXT_COLUMN);
}

void help_text(FILE *out, const char *text)
{
	print_wrapped(out, text, 0, 0);
}

/* The command's name without the group's; NULL if it does not belong to the group. */
static const char *name_in_group(const char *name, const char *group)
{
	const size_t length = strlen(group);
	return strncmp(name, group, length) == 0 && name[length] == ' ' ? name + length + 1 : NULL;
}

void help_commands(FILE *out, const struct argument_table *table, const char *group)
{
	for (size_t i = 0; i < table->ncommands; i++) {
		char head[HEAD_BYTES];
		const struct argument_command *command = &table->commands[i];
		const char *name = group ? name_in_group(command->name, group) : command->name;
		if (!name || !command->doc)
			continue;
		snprintf(head, sizeof head, "%s%s%s", name, *command->words ? " " : "",
			command->words);
		help_item(out, head, command->doc);
	}
}

/* ---- options ---- */

static bool all_have(const struct argument_table *table, const struct argument_row *row)
{
	for (size_t i = 0; i < table->ncommands; i++)
		if (table->commands[i].doc && !(row->commands >> i & 1))
			return false;
	return true;
}

/* "-o, --output PATH" */
void help_option(FILE *out, const struct argument_row *row, const char *doc)
{
	char head[HEAD_BYTES];
	snprintf(head, sizeof head, "%c%c%s --%s%s%s%s", row->letter ? '-' : ' ',
		row->letter ? row->letter : ' ', row->letter ? "," : " ", row->name,
		row->optional           ? "[="
			: row->argument ? " "
					: "",
		row->argument ? row->argument : "", row->optional ? "]" : "");
	help_item(out, head, doc);
}

/* Where options choose the command, the value of its option: --create NAME. */
static const char *command_value(const struct argument_table *table, const char *name)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->rows[i].kind == ARGUMENT_COMMAND &&
			strcmp(table->rows[i].name, name + strspn(name, "-")) == 0)
			return table->rows[i].argument;
	return NULL;
}

void help_command(FILE *out, const struct argument_table *table, size_t command)
{
	const struct argument_command *row = &table->commands[command];
	const char *value = command_value(table, row->name);
	fprintf(out, "usage: %s %s%s%s [OPTIONS]%s%s\n\n", table->program, row->name,
		value ? " " : "", value ? value : "", *row->words ? " " : "", row->words);
	help_text(out, row->doc);
	fputs("\noptions:\n", out);
	for (size_t i = 0; i < table->count; i++)
		if (table->rows[i].doc && table->rows[i].kind != ARGUMENT_COMMAND &&
			table->rows[i].commands >> command & 1)
			help_option(out, &table->rows[i], table->rows[i].doc);
}

void help_common_options(FILE *out, const struct argument_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->rows[i].doc && all_have(table, &table->rows[i]))
			help_option(out, &table->rows[i], table->rows[i].doc);
}

/* "restart the VM if it changed (--update, --rollback)" */
static void add_commands(
	struct buf *text, const struct argument_table *table, const struct argument_row *row)
{
	const char *before = " (";
	for (size_t i = 0; i < table->ncommands; i++)
		if (table->commands[i].doc && row->commands >> i & 1) {
			buf_printf(text, "%s%s", before, table->commands[i].name);
			before = ", ";
		}
	buf_puts(text, ")");
}

void help_all_options(FILE *out, const struct argument_table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct argument_row *row = &table->rows[i];
		BUF_CLEANUP struct buf text = {0};
		if (!row->doc || row->kind == ARGUMENT_COMMAND)
			continue;
		buf_puts(&text, row->doc);
		if (!all_have(table, row))
			add_commands(&text, table, row);
		help_option(out, row, buf_text(&text));
	}
}

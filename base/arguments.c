/* SPDX-License-Identifier: MIT */
#include "base/arguments.h"

#include <getopt.h>
#include <string.h>

#include "base/buf.h"

/* Values that getopt_long returns for a word, and for the first row's long option. */
enum { WORD = 1, FIRST_ROW = 256 };

static int argument_kind(const struct argument_row *row)
{
	return !row->argument ? no_argument : row->optional ? optional_argument : required_argument;
}

static const char *letters_of(struct arena *arena, const struct argument_table *table)
{
	BUF_CLEANUP struct buf letters = {0};
	/*
	 * '-' returns words in their place; ':' distinguishes a missing argument from an unknown
	 * option
	 */
	buf_puts(&letters, "-:");
	for (size_t i = 0; i < table->count; i++)
		if (table->rows[i].letter)
			buf_printf(&letters, "%c%s", table->rows[i].letter,
				table->rows[i].argument ? ":" : "");
	return arena_strdup(arena, buf_text(&letters));
}

static const struct option *names_of(struct arena *arena, const struct argument_table *table)
{
	struct option *names = arena_alloc(arena, (table->count + 1) * sizeof *names);
	for (size_t i = 0; i < table->count; i++)
		names[i] = (struct option){table->rows[i].name, argument_kind(&table->rows[i]),
			NULL, FIRST_ROW + (int)i};
	return names;
}

static const struct argument_row *row_of(const struct argument_table *table, int found)
{
	if (found >= FIRST_ROW)
		return &table->rows[found - FIRST_ROW];
	for (size_t i = 0; i < table->count; i++)
		if (table->rows[i].letter == found)
			return &table->rows[i];
	return NULL;
}

static bool take_found(struct arguments *arguments, const struct argument_table *table, int found,
	const char *word)
{
	if (found == ':')
		return diag_error(
			arguments->diag, STATUS_USAGE, NULL, "usage", "%s needs an argument", word);
	const struct argument_row *row = found == '?' ? NULL : row_of(table, found);
	if (!row)
		return diag_error(arguments->diag, STATUS_USAGE, NULL, "usage",
			"unknown option %s; see %s --help", word, table->program);
	return row->take(arguments, optarg);
}

bool arguments_take(struct arguments *arguments, const struct argument_table *table, int argc,
	char *const argv[])
{
	const char *letters = letters_of(arguments->arena, table);
	const struct option *names = names_of(arguments->arena, table);
	arguments->argc = argc;
	arguments->argv = argv;
	opterr = 0;
	optind = 0; /* 0 also resets getopt's internal state */
	int found;
	while ((found = getopt_long(argc, argv, letters, names, NULL)) != -1) {
		if (found == WORD)
			vec_push(arguments->arena, &arguments->words, optarg);
		else if (!take_found(arguments, table, found, argv[optind - 1]))
			return false;
		if (found == WORD && arguments->words_end_options)
			break;
	}
	arguments->dashed = found == -1 && strcmp(argv[optind - 1], "--") == 0;
	for (; optind < argc; optind++)
		vec_push(arguments->arena, &arguments->words, argv[optind]);
	return true;
}

const char *arguments_next(struct arguments *arguments)
{
	return optind < arguments->argc ? arguments->argv[optind++] : NULL;
}

void arguments_help(const struct argument_table *table, FILE *out)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct argument_row *row = &table->rows[i];
		char text[64];
		snprintf(text, sizeof text, "%c%c%s --%s%s%s%s", row->letter ? '-' : ' ',
			row->letter ? row->letter : ' ', row->letter ? "," : " ", row->name,
			row->optional           ? "[="
				: row->argument ? " "
						: "",
			row->argument ? row->argument : "", row->optional ? "]" : "");
		fprintf(out, "  %-26s %s\n", text, row->doc);
	}
}

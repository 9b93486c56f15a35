/* SPDX-License-Identifier: MIT */
#include "base/arguments.h"

#include <getopt.h>
#include <string.h>

#include "base/buf.h"
#include "base/suggest.h"

/* Values that getopt_long returns for a word, and for the long option of the first row. */
enum { WORD = 1, FIRST_ROW = 256 };

_Static_assert(sizeof(enum argument_kind) == sizeof(int), "enums are stored as int");

/* ---- reading ---- */

/* Several commands may each have a row for one name; getopt is given only the first. */
static bool is_first(const struct argument_table *table, size_t row)
{
	for (size_t i = 0; i < row; i++)
		if (strcmp(table->rows[i].name, table->rows[row].name) == 0)
			return false;
	return true;
}

static int value_kind(const struct argument_row *row)
{
	return !row->argument ? no_argument : row->optional ? optional_argument : required_argument;
}

static const char *letters_of(struct arena *arena, const struct argument_table *table)
{
	BUF_CLEANUP struct buf letters = {0};
	/* '-' returns words in order; ':' distinguishes a missing value from an unknown option */
	buf_puts(&letters, "-:");
	for (size_t i = 0; i < table->count; i++)
		if (table->rows[i].letter && is_first(table, i))
			buf_printf(&letters, "%c%s", table->rows[i].letter,
				table->rows[i].argument ? ":" : "");
	return arena_strdup(arena, buf_text(&letters));
}

static const struct option *names_of(struct arena *arena, const struct argument_table *table)
{
	size_t n = 0;
	struct option *names = arena_alloc(arena, (table->count + 1) * sizeof *names);
	for (size_t i = 0; i < table->count; i++)
		if (is_first(table, i))
			names[n++] = (struct option){table->rows[i].name,
				value_kind(&table->rows[i]), NULL, FIRST_ROW + (int)i};
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

static bool needs_value(struct diag *diag, const struct argument_row *row)
{
	return diag_error(diag, STATUS_USAGE, NULL, "usage", "--%s needs a value: --%s %s",
		row->name, row->name, row->argument);
}

/* Whether a word is an option of the table: "--cache", "--cache=x", "-q". */
static bool is_option(const struct argument_table *table, const char *word)
{
	const char *name = word + 2;
	const size_t length = strlen(word) > 2 ? strcspn(name, "=") : 0;
	for (size_t i = 0; i < table->count; i++) {
		const struct argument_row *row = &table->rows[i];
		if (strncmp(word, "--", 2) == 0
				? length && strlen(row->name) == length &&
					strncmp(row->name, name, length) == 0
				: word[0] == '-' && word[1] && word[1] == row->letter)
			return true;
	}
	return false;
}

/* The next word is an option instead of the value: the value was forgotten. */
static bool refuse_option_as_value(struct diag *diag, const struct argument_row *row)
{
	if (row->kind == ARGUMENT_COMMAND)
		return diag_error(diag, STATUS_USAGE, NULL, "usage",
			"--%s needs %s, and \"%s\" is an option", row->name, row->argument, optarg);
	return diag_error(diag, STATUS_USAGE, NULL, "usage",
		"--%s needs %s, and \"%s\" is an option; if it is meant, write --%s=%s", row->name,
		row->argument, optarg, row->name, optarg);
}

/* "microvm --create --help" */
static bool asks_for_help(const struct argument_row *row, const char *word)
{
	return row->kind == ARGUMENT_COMMAND &&
		(strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0);
}

/* "-MD FILE", as for compilers: the letter's value is D, and FILE is the next word. */
static const char *value_of(const struct argument_row *row, int argc, char *const argv[])
{
	const bool joined = row->letter == 'M' && optarg && strcmp(optarg, "D") == 0;
	return joined && optind < argc ? argv[optind++] : optarg;
}

static struct argument unknown_argument(struct arena *arena, const char *word)
{
	/* getopt sets optopt to the letter, or to 0 for an unknown long name. */
	const char *text = optopt > 0 && optopt < FIRST_ROW ? arena_printf(arena, "-%c", optopt)
							    : arena_strdup(arena, word);
	return (struct argument){.text = text};
}

static bool add_option(struct arena *arena, struct diag *diag, const struct argument_table *table,
	int found, int argc, char *const argv[], struct arguments *out)
{
	const bool has_no_value = found == '?' && optopt >= FIRST_ROW;
	if (has_no_value)
		return diag_error(diag, STATUS_USAGE, NULL, "usage", "--%s takes no value",
			row_of(table, optopt)->name);
	if (found == ':')
		return needs_value(diag, row_of(table, optopt));
	if (found == '?') {
		vec_push(arena, &out->options, unknown_argument(arena, argv[optind - 1]));
		return true;
	}
	const struct argument_row *row = row_of(table, found);
	if (optarg && optarg == argv[optind - 1] && is_option(table, optarg)) {
		if (!asks_for_help(row, optarg))
			return refuse_option_as_value(diag, row);
		optind--; /* the word is read again, as an option */
	}
	const char *value = value_of(row, argc, argv);
	vec_push(arena, &out->options, (struct argument){.row = row, .value = value});
	return true;
}

bool arguments_read(struct arena *arena, struct diag *diag, const struct argument_table *table,
	int argc, char *const argv[], struct arguments *out)
{
	const char *letters = letters_of(arena, table);
	const struct option *names = names_of(arena, table);
	bool program_follows = false;
	*out = (struct arguments){0};
	opterr = 0;
	optind = 0; /* 0 also resets getopt's internal state */
	int found;
	while ((found = getopt_long(argc, argv, letters, names, NULL)) != -1) {
		if (found == WORD)
			vec_push(arena, &out->words, optarg);
		else if (!add_option(arena, diag, table, found, argc, argv, out))
			return false;
		if (found == WORD && program_follows)
			break;
		if (found != WORD && out->options.v[out->options.n - 1].row)
			program_follows |= out->options.v[out->options.n - 1].row->program_follows;
	}
	out->has_separator = found == -1 && strcmp(argv[optind - 1], "--") == 0;
	for (; optind < argc; optind++)
		vec_push(arena, &out->words, argv[optind]);
	return true;
}

/* ---- checking ---- */

static bool has_command(const struct argument_row *row, size_t command)
{
	return command == ARGUMENT_NO_COMMAND || (row->commands >> command & 1) != 0;
}

/* Returns the command's own row of that name, or NULL. */
static const struct argument_row *row_for(
	const struct argument_table *table, size_t command, const char *name)
{
	for (size_t i = 0; i < table->count; i++)
		if (strcmp(table->rows[i].name, name) == 0 && has_command(&table->rows[i], command))
			return &table->rows[i];
	return NULL;
}

/* Returns the program and the command, before --help. */
static const char *help_of(struct arena *arena, const struct argument_table *table, size_t command)
{
	return command == ARGUMENT_NO_COMMAND
		? table->program
		: arena_printf(arena, "%s %s", table->program, table->commands[command].name);
}

static bool refuse_unknown(struct arena *arena, struct diag *diag,
	const struct argument_table *table, size_t command, const char *text)
{
	struct strings names = {0};
	for (size_t i = 0; i < table->count; i++)
		if (table->rows[i].doc && has_command(&table->rows[i], command))
			vec_push(arena, &names, table->rows[i].name);
	const char *word = text + strspn(text, "-");
	word = arena_strndup(arena, word, strcspn(word, "="));
	const char *near = text[1] == '-' ? suggest(word, names.v, names.n) : NULL;
	const char *hint = near
		? arena_printf(arena, "did you mean --%s?", near)
		: arena_printf(arena, "see %s --help", help_of(arena, table, command));
	return diag_error(diag, STATUS_USAGE, NULL, "usage", "unknown option %s; %s", text, hint);
}

/* Returns "cache gc and cache verify have it". */
static const char *who_has_it(
	struct arena *arena, const struct argument_table *table, const char *name)
{
	struct strings names = {0};
	for (size_t i = 0; i < table->ncommands; i++)
		if (table->commands[i].doc && row_for(table, i, name))
			vec_push(arena, &names, table->commands[i].name);
	const char *list = "";
	for (size_t i = 0; i < names.n; i++) {
		const char *before = i == 0 ? "" : i + 1 < names.n ? ", " : " and ";
		list = arena_printf(arena, "%s%s%s", list, before, names.v[i]);
	}
	return arena_printf(arena, "%s %s it", list, names.n == 1 ? "has" : "have");
}

bool arguments_check(struct arena *arena, struct diag *diag, const struct argument_table *table,
	size_t command, const struct arguments *arguments)
{
	for (size_t i = 0; i < arguments->options.n; i++) {
		const struct argument *option = &arguments->options.v[i];
		if (!option->row)
			return refuse_unknown(arena, diag, table, command, option->text);
		if (!row_for(table, command, option->row->name))
			return diag_error(diag, STATUS_USAGE, NULL, "usage",
				"%s has no option --%s; %s", table->commands[command].name,
				option->row->name, who_has_it(arena, table, option->row->name));
	}
	return true;
}

/* An option that chooses the command may have a value, such as the name of a VM. */
static const char *value_of_command(const struct argument_table *table, const char *name)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->rows[i].kind == ARGUMENT_COMMAND && name[0] == '-' &&
			strcmp(table->rows[i].name, name + strspn(name, "-")) == 0)
			return table->rows[i].argument;
	return NULL;
}

bool arguments_check_words(struct diag *diag, const struct argument_table *table, size_t command,
	const struct strings *words)
{
	const struct argument_command *row = &table->commands[command];
	if (words->n < row->words_min)
		return diag_error(diag, STATUS_USAGE, NULL, "usage",
			"%s needs %s; see %s %s --help", row->name, row->words, table->program,
			row->name);
	const char *value = value_of_command(table, row->name);
	if (words->n > row->words_max)
		return diag_error(diag, STATUS_USAGE, NULL, "usage",
			"%s takes %s%s; \"%s\" is one argument too many", row->name,
			value && !*row->words ? "only one " : "",
			*row->words     ? row->words
				: value ? value
					: "no argument",
			words->v[row->words_max]);
	return true;
}

/* ---- storing ---- */

static bool store_choice(
	struct diag *diag, const struct argument_row *row, int *field, const char *value)
{
	for (int i = 0; row->choices[i]; i++)
		if (strcmp(row->choices[i], value) == 0) {
			*field = i;
			return true;
		}
	BUF_CLEANUP struct buf list = {0};
	for (size_t i = 0; row->choices[i]; i++) {
		const char *before = i == 0 ? "" : row->choices[i + 1] ? ", " : " or ";
		buf_printf(&list, "%s%s", before, row->choices[i]);
	}
	return diag_error(diag, STATUS_USAGE, NULL, "usage", "--%s: expected %s, not \"%s\"",
		row->name, buf_text(&list), value);
}

static bool store(struct arena *arena, struct diag *diag, const struct argument_row *row,
	const char *value, void *target)
{
	void *field = (char *)target + row->offset;
	if (row->argument && !row->optional && !*value)
		return needs_value(diag, row);
	switch (row->kind) {
	case ARGUMENT_FLAG:
		*(bool *)field = true;
		break;
	case ARGUMENT_STRING:
		*(const char **)field = value;
		break;
	case ARGUMENT_STRINGS:
		vec_push(arena, (struct strings *)field, value);
		break;
	case ARGUMENT_CHOICE:
		return store_choice(diag, row, field, value);
	case ARGUMENT_CUSTOM:
		return row->store(arena, diag, target, value);
	case ARGUMENT_COMMAND:
		break;
	}
	return true;
}

bool arguments_store(struct arena *arena, struct diag *diag, const struct argument_table *table,
	size_t command, const struct arguments *arguments, void *target)
{
	for (size_t i = 0; i < arguments->options.n; i++) {
		const struct argument *option = &arguments->options.v[i];
		const struct argument_row *row =
			option->row ? row_for(table, command, option->row->name) : NULL;
		if (row && !store(arena, diag, row, option->value, target))
			return false;
	}
	return true;
}

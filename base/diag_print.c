/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/diag_messages.h"
#include "base/number.h"
#include "base/printable.h"
#include "base/terminal.h"

/*
 * More than HUMAN_ERRORS_SHOWN errors on a terminal help nobody; the JSON format prints all. A long
 * line is shown in part, around the place.
 */
enum { HUMAN_ERRORS_SHOWN = 50, EXCERPT_COLUMNS = 120 };

/* ---- characters ---- */

/* Prints a line of a source so that each character takes one column. */
static void print_columns(FILE *out, const char *text, size_t length)
{
	for (size_t i = 0, n; i < length; i += n ? n : 1) {
		n = character_length(text + i, length - i);
		if (n == 0)
			putc('?', out);
		else if (character_commands(text + i, n))
			putc(' ', out);
		else
			fwrite(text + i, 1, n, out);
	}
}

/*
 * Prints a message. Its further lines (output of another program) are indented, so that they do not
 * look like messages.
 */
static void print_text(FILE *out, const char *text)
{
	BUF_CLEANUP struct buf line = {0};
	for (;; text++) {
		size_t length = strcspn(text, "\n");
		buf_printable(&line, text, length);
		text += length;
		if (!*text)
			break;
		buf_puts(&line, "\n    ");
	}
	fputs(buf_text(&line), out);
}

/* ---- printing ---- */

/* Returns the start of line `number` (from 1) and its length; NULL if there is no such line. */
static const char *source_line(const struct diag_source *source, unsigned number, size_t *length)
{
	const char *line = source->text, *end = source->text + source->length;
	while (number > 1) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		if (!newline)
			return NULL;
		line = newline + 1;
		number--;
	}
	const char *newline = memchr(line, '\n', (size_t)(end - line));
	*length = (size_t)((newline ? newline : end) - line);
	if (*length && line[*length - 1] == '\r')
		--*length;
	return line;
}

/* Returns the offset after `columns` characters of a line; an invalid byte counts as one. */
static size_t skip_columns(const char *line, size_t length, unsigned columns)
{
	size_t at = 0;
	for (; columns && at < length; columns--) {
		size_t n = character_length(line + at, length - at);
		at += n ? n : 1;
	}
	return at;
}

/*
 * Prints EXCERPT_COLUMNS of a line from `column` on, with an ellipsis where something is left out.
 */
static void print_line(FILE *out, const char *line, size_t length, unsigned column)
{
	size_t start = skip_columns(line, length, column - 1),
	       shown = skip_columns(line + start, length - start, EXCERPT_COLUMNS);
	fputs(start ? "…" : "", out);
	print_columns(out, line + start, shown);
	fputs(start + shown < length ? "…\n" : "\n", out);
}

static void print_excerpt(const struct diag_source *source, FILE *out, const struct pos *where)
{
	size_t length;
	const char *line = source_line(source, where->line, &length);
	if (!line)
		return;
	unsigned first =
		where->column > EXCERPT_COLUMNS * 3 / 4 ? where->column - EXCERPT_COLUMNS / 2 : 1;
	unsigned indent = where->column - first + (first > 1);
	if (source->argument)
		fputs("      | ", out);
	else
		fprintf(out, "%5u | ", where->line);
	print_line(out, line, length, first);
	fprintf(out, "      | %*s^", (int)indent, "");
	for (unsigned i = 1; i < where->width && indent + i < EXCERPT_COLUMNS; i++)
		putc('~', out);
	putc('\n', out);
}

static void print_human(const struct diag *diag, FILE *out, const struct diag_message *message)
{
	static const char *const colours[] = {"\033[1;36m", "\033[1;35m", "\033[1;31m"};
	bool coloured = terminal_has_colours(fileno(out));
	const char *place =
		diag_has_place(diag, message) ? message->where.file : diag_subject(diag, message);
	print_text(out, place ? place : diag->program);
	const struct diag_source *source = diag_source_of(diag, message->where.file);
	if (diag_has_place(diag, message))
		fprintf(out, ":%u:%u", message->where.line, message->where.column);
	fprintf(out, ": %s%s:%s ", coloured ? colours[message->severity] : "",
		diag_severity_names[message->severity], coloured ? "\033[0m" : "");
	print_text(out, message->text);
	fprintf(out, " [%s]\n", message->code);
	if (message->where.line && source)
		print_excerpt(source, out, &message->where);
}

/* ---- order ---- */

static int compare_numbers(size_t a, size_t b)
{
	return (a > b) - (a < b);
}

static int compare_groups(const void *a, const void *b)
{
	const struct diag_group *x = a, *y = b;
	const struct pos *at = &x->first->where, *other = &y->first->where;
	int order = compare_numbers(x->source, y->source);
	if (!order && at->file && other->file)
		order = strcmp(at->file, other->file);
	if (!order)
		order = compare_numbers(at->line, other->line);
	if (!order)
		order = compare_numbers(at->column, other->column);
	return order ? order : compare_numbers((size_t)x->first, (size_t)y->first);
}

static bool belongs(const struct diag_message *note, const struct diag_message *first)
{
	return note->severity == SEVERITY_NOTE && first->severity != SEVERITY_NOTE &&
		strcmp(note->code, first->code) == 0;
}

/*
 * Sources come in the order in which they were read, then files that are not sources, then messages
 * without a file.
 */
static size_t source_rank(const struct diag *diag, const char *file)
{
	const struct diag_source *source = diag_source_of(diag, file);
	return source ? (size_t)(source - diag->sources.v) : diag->sources.n + !file;
}

/* Returns the messages recorded since the last call, grouped and sorted; `*count` groups. */
static struct diag_group *groups_in_order(const struct diag *diag, size_t *count)
{
	struct diag_group *groups =
		arena_alloc(diag->arena, (diag->messages.n - diag->printed) * sizeof *groups);
	size_t n = 0;
	for (size_t i = diag->printed; i < diag->messages.n; i++) {
		const struct diag_message *message = &diag->messages.v[i];
		if (n && belongs(message, groups[n - 1].first))
			groups[n - 1].count++;
		else
			groups[n++] = (struct diag_group){
				message, 1, source_rank(diag, message->where.file)};
	}
	if (n)
		qsort(groups, n, sizeof *groups, compare_groups);
	*count = n;
	return groups;
}

/* With `quiet`, only errors and their notes are printed. */
static size_t keep_errors(struct diag_group *groups, size_t count)
{
	size_t n = 0;
	for (size_t i = 0; i < count; i++)
		if (groups[i].first->severity == SEVERITY_ERROR)
			groups[n++] = groups[i];
	return n;
}

static void print_all_human(
	const struct diag *diag, FILE *out, const struct diag_group *groups, size_t count)
{
	size_t errors = 0;
	for (size_t i = 0; i < count; i++) {
		errors += groups[i].first->severity == SEVERITY_ERROR;
		for (size_t j = 0; errors <= HUMAN_ERRORS_SHOWN && j < groups[i].count; j++)
			print_human(diag, out, &groups[i].first[j]);
	}
	if (errors > HUMAN_ERRORS_SHOWN)
		fprintf(out, "%s: %zu more error%s; --format json prints all\n", diag->program,
			errors - HUMAN_ERRORS_SHOWN, plural(errors - HUMAN_ERRORS_SHOWN));
}

void diag_print(struct diag *diag, FILE *out, enum diag_format format, bool quiet)
{
	size_t count;
	struct diag_group *groups = groups_in_order(diag, &count);
	if (quiet)
		count = keep_errors(groups, count);
	if (format == DIAG_HUMAN)
		print_all_human(diag, out, groups, count);
	if (format == DIAG_SARIF)
		diag_print_sarif(diag, out, groups, count);
	for (size_t i = 0; format == DIAG_JSON && i < count; i++)
		diag_print_json(diag, out, &groups[i]);
	for (size_t i = 0; format == DIAG_GITHUB && i < count; i++)
		diag_print_github(diag, out, &groups[i]);
	diag->printed = diag->messages.n;
}

/* SPDX-License-Identifier: MIT */
#include "base/diag.h"

#include <json-c/json.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/printable.h"

/*
 * More than HUMAN_ERRORS_SHOWN errors on a terminal help nobody; the JSON format prints all. A long
 * line is shown in part, around the place.
 */
enum { HUMAN_ERRORS_SHOWN = 50, EXCERPT_COLUMNS = 120 };

struct message {
	enum severity severity;
	enum status status;
	struct pos where;
	const char *code, *text;
};

struct source {
	/*
	 * The caller's `file` pointer, which may be dangling: it distinguishes arguments of the
	 * same name.
	 */
	uintptr_t given;
	const char *file, *text; /* copies */
	size_t length;
	bool argument; /* from the command line */
};

struct diag {
	struct arena *arena;
	const char *program;
	VEC(struct message) messages;
	VEC(struct source) sources;
	size_t errors, printed;
	enum status status;
};

struct diag *diag_new(struct arena *arena)
{
	struct diag *diag = arena_alloc(arena, sizeof *diag);
	diag->arena = arena;
	diag->program = "mvmbuild";
	return diag;
}

void diag_name_program(struct diag *diag, const char *program)
{
	diag->program = program;
}

void diag_add_source(struct diag *diag, const char *file, const char *text, size_t length)
{
	vec_push(diag->arena, &diag->sources,
		(struct source){(uintptr_t)file, arena_strdup(diag->arena, file),
			arena_strndup(diag->arena, text, length), length, false});
}

void diag_add_argument(struct diag *diag, const char *name, const char *text)
{
	vec_push(diag->arena, &diag->sources,
		(struct source){(uintptr_t)name, arena_strdup(diag->arena, name),
			arena_strdup(diag->arena, text), strlen(text), true});
}

/* ---- recording ---- */

static const char *format_text(struct arena *arena, const char *format, va_list arguments)
{
	va_list again;
	va_copy(again, arguments);
	int length = vsnprintf(NULL, 0, format, arguments);
	char *text = arena_alloc(arena, length < 0 ? 1 : (size_t)length + 1);
	if (length >= 0)
		vsnprintf(text, (size_t)length + 1, format, again);
	va_end(again);
	return text;
}

/* Returns a copy of a file's name that lives as long as the diag. */
static const char *keep_file(const struct diag *diag, const char *file)
{
	for (size_t i = diag->sources.n; file && i-- > 0;)
		if (diag->sources.v[i].given == (uintptr_t)file &&
			strcmp(diag->sources.v[i].file, file) == 0)
			return diag->sources.v[i].file;
	return file ? arena_strdup(diag->arena, file) : NULL;
}

static void record(struct diag *diag, enum severity severity, enum status status,
	const struct pos *where, const char *code, const char *text)
{
	struct message message = {
		.severity = severity, .status = status, .code = code, .text = text};
	if (where) {
		message.where = *where;
		message.where.file = keep_file(diag, where->file);
	}
	vec_push(diag->arena, &diag->messages, message);
}

bool diag_error(struct diag *diag, enum status status, const struct pos *where, const char *code,
	const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	record(diag, SEVERITY_ERROR, status, where, code,
		format_text(diag->arena, format, arguments));
	va_end(arguments);
	if (diag->errors++ == 0)
		diag->status = status;
	return false;
}

void diag_warning(
	struct diag *diag, const struct pos *where, const char *code, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	record(diag, SEVERITY_WARNING, STATUS_OK, where, code,
		format_text(diag->arena, format, arguments));
	va_end(arguments);
}

void diag_note(
	struct diag *diag, const struct pos *where, const char *code, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	record(diag, SEVERITY_NOTE, STATUS_OK, where, code,
		format_text(diag->arena, format, arguments));
	va_end(arguments);
}

void diag_take(struct diag *diag, const struct diag *other)
{
	if (!diag->errors)
		diag->status = other->status;
	diag->errors += other->errors;
	for (size_t i = 0; i < other->messages.n; i++) {
		const struct message *m = &other->messages.v[i];
		record(diag, m->severity, m->status, &m->where, m->code,
			arena_strdup(diag->arena, m->text));
	}
}

size_t diag_error_count(const struct diag *diag)
{
	return diag->errors;
}

enum status diag_status(const struct diag *diag)
{
	return diag->status;
}

enum status diag_failure(struct diag *diag)
{
	if (diag_error_count(diag) == 0)
		diag_error(diag, STATUS_FAILED, NULL, "internal",
			"%s failed without an error message; please report this bug",
			diag->program);
	return diag_status(diag);
}

static const struct message *find_error(const struct diag *diag, size_t index)
{
	for (size_t i = 0; i < diag->messages.n; i++)
		if (diag->messages.v[i].severity == SEVERITY_ERROR && index-- == 0)
			return &diag->messages.v[i];
	return NULL;
}

const char *diag_error_text(const struct diag *diag, size_t index)
{
	const struct message *error = find_error(diag, index);
	return error ? error->text : NULL;
}

const char *diag_summary(struct arena *arena, const struct diag *diag)
{
	const struct message *error = find_error(diag, 0);
	if (!error || !error->where.line)
		return error ? arena_strdup(arena, error->text) : NULL;
	const char *more =
		diag->errors > 1 ? arena_printf(arena, " (and %zu more)", diag->errors - 1) : "";
	return arena_printf(arena, "%s:%u:%u: %s%s", error->where.file, error->where.line,
		error->where.column, error->text, more);
}

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

static const char *const severity_names[] = {"note", "warning", "error"};

/*
 * Two arguments may have the same name ("--set vcpu" given twice), so a match by pointer is
 * preferred.
 */
static const struct source *source_of(const struct diag *diag, const char *file)
{
	const struct source *found = NULL;
	for (size_t i = 0; file && i < diag->sources.n; i++) {
		const struct source *source = &diag->sources.v[i];
		if (source->file == file)
			return source;
		if (!found && strcmp(source->file, file) == 0)
			found = source;
	}
	return found;
}

/* Returns the start of line `number` (from 1) and its length; NULL if there is no such line. */
static const char *source_line(const struct source *source, unsigned number, size_t *length)
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

static void print_excerpt(const struct source *source, FILE *out, const struct pos *where)
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

static bool colours_wanted(FILE *out)
{
	const char *no_color = getenv("NO_COLOR");
	return isatty(fileno(out)) && !(no_color && *no_color);
}

static void print_human(const struct diag *diag, FILE *out, const struct message *message)
{
	static const char *const colours[] = {"\033[1;36m", "\033[1;35m", "\033[1;31m"};
	bool coloured = colours_wanted(out);
	const char *place = message->where.file ? message->where.file : diag->program;
	print_text(out, place);
	const struct source *source = source_of(diag, message->where.file);
	bool numbered = message->where.line && !(source && source->argument);
	if (numbered)
		fprintf(out, ":%u:%u", message->where.line, message->where.column);
	fprintf(out, ": %s%s:%s ", coloured ? colours[message->severity] : "",
		severity_names[message->severity], coloured ? "\033[0m" : "");
	print_text(out, message->text);
	fprintf(out, " [%s]\n", message->code);
	if (message->where.line && source)
		print_excerpt(source, out, &message->where);
}

/* JSON must be UTF-8; a path on disk may be any bytes. */
static struct json_object *json_text(const char *text)
{
	BUF_CLEANUP struct buf clean = {0};
	size_t length = strlen(text);
	for (size_t i = 0, n; i < length; i += n ? n : 1) {
		n = character_length(text + i, length - i);
		buf_add(&clean, n ? text + i : "\uFFFD", n ? n : strlen("\uFFFD"));
	}
	return json_object_new_string(buf_text(&clean));
}

static void print_json(const struct diag *diag, FILE *out, const struct message *message)
{
	const struct source *source = source_of(diag, message->where.file);
	struct json_object *object = json_object_new_object();
	json_object_object_add(
		object, "severity", json_object_new_string(severity_names[message->severity]));
	json_object_object_add(object, "code", json_object_new_string(message->code));
	json_object_object_add(object, "message", json_text(message->text));
	if (message->where.file)
		json_object_object_add(object, "file", json_text(message->where.file));
	if (message->where.line && !(source && source->argument)) {
		json_object_object_add(object, "line", json_object_new_int64(message->where.line));
		json_object_object_add(
			object, "column", json_object_new_int64(message->where.column));
	}
	fprintf(out, "%s\n",
		json_object_to_json_string_ext(
			object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

/* ---- order ---- */

/* An error or warning with its notes, or a note that stands alone. */
struct group {
	const struct message *first;
	size_t count;
	size_t source; /* rank of its source */
};

static int compare_numbers(size_t a, size_t b)
{
	return (a > b) - (a < b);
}

static int compare_groups(const void *a, const void *b)
{
	const struct group *x = a, *y = b;
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

static bool belongs(const struct message *note, const struct message *first)
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
	const struct source *source = source_of(diag, file);
	return source ? (size_t)(source - diag->sources.v) : diag->sources.n + !file;
}

/* Returns the messages recorded since the last call, grouped and sorted; `*count` groups. */
static struct group *groups_in_order(const struct diag *diag, size_t *count)
{
	struct group *groups =
		arena_alloc(diag->arena, (diag->messages.n - diag->printed) * sizeof *groups);
	size_t n = 0;
	for (size_t i = diag->printed; i < diag->messages.n; i++) {
		const struct message *message = &diag->messages.v[i];
		if (n && belongs(message, groups[n - 1].first))
			groups[n - 1].count++;
		else
			groups[n++] =
				(struct group){message, 1, source_rank(diag, message->where.file)};
	}
	if (n)
		qsort(groups, n, sizeof *groups, compare_groups);
	*count = n;
	return groups;
}

static void print_group(const struct diag *diag, FILE *out, enum diag_format format, bool quiet,
	const struct group *group)
{
	for (size_t i = 0; i < group->count; i++) {
		/* The notes of an error are printed with it. */
		if (quiet && group->first->severity != SEVERITY_ERROR)
			continue;
		if (format == DIAG_JSON)
			print_json(diag, out, &group->first[i]);
		else
			print_human(diag, out, &group->first[i]);
	}
}

void diag_print(struct diag *diag, FILE *out, enum diag_format format, bool quiet)
{
	size_t count, errors = 0;
	const struct group *groups = groups_in_order(diag, &count);
	for (size_t i = 0; i < count; i++) {
		errors += groups[i].first->severity == SEVERITY_ERROR;
		if (format == DIAG_JSON || errors <= HUMAN_ERRORS_SHOWN)
			print_group(diag, out, format, quiet, &groups[i]);
	}
	if (format == DIAG_HUMAN && errors > HUMAN_ERRORS_SHOWN)
		fprintf(out, "%s: %zu more errors; --format json prints all\n", diag->program,
			errors - HUMAN_ERRORS_SHOWN);
	diag->printed = diag->messages.n;
}

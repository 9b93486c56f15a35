/* SPDX-License-Identifier: MIT */
#include "compiler/base/diag.h"

#include <json-c/json.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler/base/arena.h"
#include "compiler/base/buf.h"

/* More than this many errors on a terminal help nobody; the JSON format prints all. */
enum { HUMAN_ERRORS_SHOWN = 50 };

struct message {
	enum severity severity;
	enum status status;
	struct pos where;
	const char *code, *text;
};

struct source {
	const char *file, *text;
	size_t length;
};

struct diag {
	struct arena *arena;
	VEC(struct message) messages;
	VEC(struct source) sources;
	size_t errors, printed;
	enum status status;
};

struct diag *diag_new(struct arena *arena)
{
	struct diag *diag = arena_alloc(arena, sizeof *diag);
	diag->arena = arena;
	return diag;
}

void diag_add_source(struct diag *diag, const char *file, const char *text, size_t length)
{
	vec_push(diag->arena, &diag->sources, (struct source){file, text, length});
}

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

static void record(struct diag *diag, enum severity severity, enum status status, const struct pos *where, const char *code,
		   const char *text)
{
	struct message message = {.severity = severity, .status = status, .code = code, .text = text};
	if (where)
		message.where = *where;
	vec_push(diag->arena, &diag->messages, message);
}

bool diag_error(struct diag *diag, enum status status, const struct pos *where, const char *code, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	record(diag, SEVERITY_ERROR, status, where, code, format_text(diag->arena, format, arguments));
	va_end(arguments);
	if (diag->errors++ == 0)
		diag->status = status;
	return false;
}

void diag_warning(struct diag *diag, const struct pos *where, const char *code, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	record(diag, SEVERITY_WARNING, STATUS_OK, where, code, format_text(diag->arena, format, arguments));
	va_end(arguments);
}

void diag_note(struct diag *diag, const struct pos *where, const char *code, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	record(diag, SEVERITY_NOTE, STATUS_OK, where, code, format_text(diag->arena, format, arguments));
	va_end(arguments);
}

size_t diag_error_count(const struct diag *diag)
{
	return diag->errors;
}

enum status diag_status(const struct diag *diag)
{
	return diag->status;
}

const char *diag_error_text(const struct diag *diag, size_t index)
{
	for (size_t i = 0; i < diag->messages.n; i++)
		if (diag->messages.v[i].severity == SEVERITY_ERROR && index-- == 0)
			return diag->messages.v[i].text;
	return NULL;
}

static const char *const severity_names[] = {"note", "warning", "error"};

static const struct source *source_of(const struct diag *diag, const char *file)
{
	for (size_t i = 0; file && i < diag->sources.n; i++)
		if (strcmp(diag->sources.v[i].file, file) == 0)
			return &diag->sources.v[i];
	return NULL;
}

/* The start of line `number` (from 1) and its length; NULL when there is no such line. */
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
	return line;
}

static bool is_continuation_byte(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* The bytes of the UTF-8 character that `text` starts with; 0 when it starts with none. */
static size_t character_length(const char *text, size_t length)
{
	unsigned char first = (unsigned char)text[0], second = length > 1 ? (unsigned char)text[1] : 0;
	size_t n = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
	if (n > length)
		return 0;
	for (size_t i = 1; i < n; i++)
		if (!is_continuation_byte(text[i]))
			return 0;
	bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
	bool surrogate = first == 0xed && second >= 0xa0, beyond = first == 0xf4 && second >= 0x90;
	return overlong || surrogate || beyond ? 0 : n;
}

/* Of both control sets: C0 with delete, and C1, whose U+009B starts a terminal's command like ESC [ does. */
static bool is_control(const char *text, size_t n)
{
	unsigned char first = (unsigned char)text[0];
	return n == 1 ? first < ' ' || first == 0x7f : n == 2 && first == 0xc2 && (unsigned char)text[1] < 0xa0;
}

/* Prints text that somebody else wrote: nothing in it can command the terminal. `instead` stands for a control character. */
static void print_clean(FILE *out, const char *text, size_t length, char instead)
{
	for (size_t i = 0, n; i < length; i += n ? n : 1) {
		n = character_length(text + i, length - i);
		if (n == 0)
			putc('?', out);
		else if (is_control(text + i, n) && text[i] != '\n')
			putc(instead, out);
		else
			fwrite(text + i, 1, n, out);
	}
}

/* Prints at most 160 bytes of the line, whole characters. */
static void print_line(FILE *out, const char *line, size_t length)
{
	size_t shown = length > 160 ? 160 : length;
	while (shown < length && is_continuation_byte(line[shown]))
		shown++;
	print_clean(out, line, shown, ' ');
	fputs(shown < length ? "…\n" : "\n", out);
}

static void print_excerpt(const struct diag *diag, FILE *out, const struct pos *where)
{
	const struct source *source = source_of(diag, where->file);
	size_t length;
	const char *line = source ? source_line(source, where->line, &length) : NULL;
	if (!line || where->column > 160)
		return;
	fprintf(out, "%5u | ", where->line);
	print_line(out, line, length);
	fputs("      | ", out);
	for (unsigned i = 1; i < where->column; i++)
		putc(' ', out);
	putc('^', out);
	for (unsigned i = 1; i < where->width && where->column + i <= 160; i++)
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
	const char *place = message->where.file ? message->where.file : "mvmbuild";
	print_clean(out, place, strlen(place), '?');
	if (message->where.file && message->where.line)
		fprintf(out, ":%u:%u", message->where.line, message->where.column);
	fputs(": ", out);
	fprintf(out, "%s%s:%s ", coloured ? colours[message->severity] : "", severity_names[message->severity],
		coloured ? "\033[0m" : "");
	print_clean(out, message->text, strlen(message->text), '?');
	fprintf(out, " [%s]\n", message->code);
	if (message->where.line)
		print_excerpt(diag, out, &message->where);
}

/* JSON is UTF-8; paths on disk may be anything. */
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

static void print_json(FILE *out, const struct message *message)
{
	struct json_object *object = json_object_new_object();
	json_object_object_add(object, "severity", json_object_new_string(severity_names[message->severity]));
	json_object_object_add(object, "code", json_object_new_string(message->code));
	json_object_object_add(object, "message", json_text(message->text));
	if (message->where.file)
		json_object_object_add(object, "file", json_text(message->where.file));
	if (message->where.line) {
		json_object_object_add(object, "line", json_object_new_int64(message->where.line));
		json_object_object_add(object, "column", json_object_new_int64(message->where.column));
	}
	fprintf(out, "%s\n", json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

void diag_print(struct diag *diag, FILE *out, enum diag_format format, bool quiet)
{
	size_t shown_errors = 0;
	for (; diag->printed < diag->messages.n; diag->printed++) {
		const struct message *message = &diag->messages.v[diag->printed];
		if (quiet && message->severity != SEVERITY_ERROR)
			continue;
		if (format == DIAG_JSON) {
			print_json(out, message);
			continue;
		}
		if (message->severity == SEVERITY_ERROR && shown_errors++ >= HUMAN_ERRORS_SHOWN)
			continue;
		if (shown_errors <= HUMAN_ERRORS_SHOWN)
			print_human(diag, out, message);
	}
	if (shown_errors > HUMAN_ERRORS_SHOWN)
		fprintf(out, "mvmbuild: %zu more errors; --format json prints all\n", shown_errors - HUMAN_ERRORS_SHOWN);
}

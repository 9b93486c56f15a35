/* SPDX-License-Identifier: MIT */
#include "base/diag.h"

#include <stdarg.h>
#include <string.h>

#include "base/diag_messages.h"

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
		(struct diag_source){(uintptr_t)file, arena_strdup(diag->arena, file),
			arena_strndup(diag->arena, text, length), length, false});
}

void diag_add_argument(struct diag *diag, const char *name, const char *text)
{
	vec_push(diag->arena, &diag->sources,
		(struct diag_source){(uintptr_t)name, arena_strdup(diag->arena, name),
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
	struct diag_message message = {
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
		const struct diag_message *m = &other->messages.v[i];
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

static const struct diag_message *find_error(const struct diag *diag, size_t index)
{
	for (size_t i = 0; i < diag->messages.n; i++)
		if (diag->messages.v[i].severity == SEVERITY_ERROR && index-- == 0)
			return &diag->messages.v[i];
	return NULL;
}

const char *diag_error_text(const struct diag *diag, size_t index)
{
	const struct diag_message *error = find_error(diag, index);
	return error ? error->text : NULL;
}

const char *diag_summary(struct arena *arena, const struct diag *diag)
{
	const struct diag_message *error = find_error(diag, 0);
	if (!error || !error->where.line)
		return error ? arena_strdup(arena, error->text) : NULL;
	const char *more =
		diag->errors > 1 ? arena_printf(arena, " (and %zu more)", diag->errors - 1) : "";
	return arena_printf(arena, "%s:%u:%u: %s%s", error->where.file, error->where.line,
		error->where.column, error->text, more);
}

const char *const diag_severity_names[] = {"note", "warning", "error"};

/*
 * Two arguments may have the same name ("--set vcpu" given twice), so a match by pointer is
 * preferred.
 */
const struct diag_source *diag_source_of(const struct diag *diag, const char *file)
{
	const struct diag_source *found = NULL;
	for (size_t i = 0; file && i < diag->sources.n; i++) {
		const struct diag_source *source = &diag->sources.v[i];
		if (source->file == file)
			return source;
		if (!found && strcmp(source->file, file) == 0)
			found = source;
	}
	return found;
}

bool diag_is_argument(const struct diag *diag, const struct diag_message *message)
{
	const struct diag_source *source = diag_source_of(diag, message->where.file);
	return source && source->argument;
}

/* A place in an argument has no line. */
bool diag_has_place(const struct diag *diag, const struct diag_message *message)
{
	return message->where.line && !diag_is_argument(diag, message);
}

const char *diag_subject(const struct diag *diag, const struct diag_message *message)
{
	const char *file = message->where.file;
	return !file || diag_has_place(diag, message) || strstr(message->text, file) ? NULL : file;
}

/* SPDX-License-Identifier: MIT */
#include "compiler/session/progress.h"

#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json_line.h"
#include "base/number.h"
#include "base/printable.h"
#include "base/terminal.h"

enum {
	BETWEEN_MS = 100, /* the least time between two updates of the numbers */
	BAR_COLUMNS = 20,
	BAR_FITS_COLUMNS = 60, /* a narrower terminal has no room for the bar */
	HASH_COLUMNS = 33,     /* of the name of a store path: "HASH-" */
};

/* ---- time ---- */

static double seconds_since(const struct timespec *start)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

/* Whether to show numbers now. */
static bool is_time(struct progress *progress)
{
	if (seconds_since(&progress->shown) * 1000 < BETWEEN_MS)
		return false;
	clock_gettime(CLOCK_MONOTONIC, &progress->shown);
	return true;
}

/* ---- events ---- */

static struct json_object *event_new(const char *event, const char *step)
{
	struct json_object *object = json_object_new_object();
	json_object_object_add(object, "event", json_object_new_string(event));
	if (step)
		json_object_object_add(object, "step", json_object_new_string(step));
	return object;
}

static void event_number(struct json_object *event, const char *key, uint64_t number)
{
	json_object_object_add(event, key, json_object_new_uint64(number));
}

static void print_bytes_event(const struct progress *progress)
{
	struct json_object *event = event_new("bytes", progress->step);
	event_number(event, "bytes", progress->bytes);
	if (progress->total)
		event_number(event, "total", progress->total);
	json_line_print(stderr, event);
}

static void print_path_event(const struct progress *progress, const char *path)
{
	struct json_object *event = event_new("path", progress->step);
	json_object_object_add(event, "path", json_line_text(path));
	json_line_print(stderr, event);
}

/* ---- the line on a terminal ---- */

static void put_bar(struct buf *line, uint64_t bytes, uint64_t total)
{
	const int full = (int)(bytes * BAR_COLUMNS / total);
	buf_puts(line, " [");
	for (int i = 0; i < BAR_COLUMNS; i++)
		buf_puts(line, i < full ? "#" : ".");
	buf_puts(line, "]");
}

static void put_numbers(struct buf *line, const struct progress *progress, unsigned width)
{
	if (!progress->total) {
		buf_printf(line, "%s: %zu store path%s, %.1f MB", progress->step, progress->paths,
			plural(progress->paths), (double)progress->bytes / 1e6);
		return;
	}
	buf_puts(line, "store disk");
	if (width >= BAR_FITS_COLUMNS)
		put_bar(line, progress->bytes, progress->total);
	buf_printf(line, " %3d %%  %.1f of %.1f MB", (int)(progress->bytes * 100 / progress->total),
		(double)progress->bytes / 1e6, (double)progress->total / 1e6);
}

/* Returns the bytes of the first `columns` characters of a line. */
static size_t columns_length(const struct buf *line, size_t columns)
{
	size_t at = 0;
	for (; columns && at < line->n; columns--) {
		const size_t n = character_length(line->p + at, line->n - at);
		at += n ? n : 1;
	}
	return at;
}

/* The last column stays free: some terminals begin a new line after it. */
static void draw(struct progress *progress)
{
	BUF_CLEANUP struct buf line = {0};
	const unsigned width = terminal_width(STDERR_FILENO);
	put_numbers(&line, progress, width);
	if (*progress->name)
		buf_printf(&line, "  %s", progress->name);
	fprintf(stderr, "\r%.*s\033[K", (int)columns_length(&line, width - 1), buf_text(&line));
	fflush(stderr);
	progress->drawn = true;
}

static void clear(struct progress *progress)
{
	if (progress->drawn)
		fputs("\r\033[K", stderr);
	progress->drawn = false;
}

/* ---- the running step ---- */

static void show(struct progress *progress, bool at_once)
{
	if (!is_time(progress) && !at_once)
		return;
	if (progress->style == PROGRESS_JSON)
		print_bytes_event(progress);
	else if (progress->rewritten)
		draw(progress);
}

static void step_begin(struct progress *progress, const char *step)
{
	progress->step = step;
	progress->paths = progress->bytes = progress->total = 0;
	*progress->name = '\0';
	if (progress->style == PROGRESS_JSON)
		json_line_print(stderr, event_new("step", step));
}

static void path_begin(struct progress *progress, const char *path)
{
	BUF_CLEANUP struct buf name = {0};
	const char *base = path_base(path);
	progress->paths++;
	if (strlen(base) > HASH_COLUMNS)
		base += HASH_COLUMNS;
	buf_printable(&name, base, strlen(base));
	snprintf(progress->name, sizeof progress->name, "%s", buf_text(&name));
	if (progress->style == PROGRESS_JSON)
		print_path_event(progress, path);
	else
		show(progress, false);
}

void progress_step_begin(struct progress *progress, const char *step)
{
	pthread_mutex_lock(&progress->lock);
	step_begin(progress, step);
	pthread_mutex_unlock(&progress->lock);
}

/* The step begins with the first call that is about the disk. */
static void disk_begin(struct progress *progress)
{
	if (!progress->step || strcmp(progress->step, STEP_STORE_DISK) != 0)
		step_begin(progress, STEP_STORE_DISK);
}

void progress_bytes(void *context, uint64_t done_bytes, uint64_t total_bytes)
{
	struct progress *progress = context;
	if (progress->style == PROGRESS_NONE)
		return;
	pthread_mutex_lock(&progress->lock);
	disk_begin(progress);
	const bool ended = done_bytes == total_bytes && progress->bytes != total_bytes;
	progress->bytes = done_bytes;
	progress->total = total_bytes;
	show(progress, ended);
	pthread_mutex_unlock(&progress->lock);
}

void progress_path(void *context, const char *path)
{
	struct progress *progress = context;
	if (progress->style == PROGRESS_NONE)
		return;
	pthread_mutex_lock(&progress->lock);
	disk_begin(progress);
	path_begin(progress, path);
	pthread_mutex_unlock(&progress->lock);
}

static void meter_path(void *context, const char *path)
{
	struct progress *progress = context;
	pthread_mutex_lock(&progress->lock);
	path_begin(progress, path);
	pthread_mutex_unlock(&progress->lock);
}

static void meter_bytes(void *context, uint64_t more_bytes)
{
	struct progress *progress = context;
	pthread_mutex_lock(&progress->lock);
	progress->bytes += more_bytes;
	show(progress, false);
	pthread_mutex_unlock(&progress->lock);
}

void progress_begin(struct progress *progress, const struct build_settings *settings)
{
	enum progress_style style = settings->progress;
	if (style == PROGRESS_AUTO)
		style = settings->quiet ? PROGRESS_NONE : PROGRESS_PLAIN;
	*progress = (struct progress){.style = style,
		.rewritten = style == PROGRESS_PLAIN && terminal_can_rewrite(STDERR_FILENO),
		.timed = settings->verbose && style == PROGRESS_PLAIN,
		.meter = {meter_path, meter_bytes, progress}};
	pthread_mutex_init(&progress->lock, NULL);
	clock_gettime(CLOCK_MONOTONIC, &progress->started);
	progress->shown = progress->started;
}

const struct meter *progress_meter(const struct progress *progress)
{
	const bool shown = progress->style == PROGRESS_JSON || progress->rewritten;
	return shown ? &progress->meter : NULL;
}

/* ---- what is done ---- */

struct json_object *progress_facts(const char *step)
{
	return event_new("done", step);
}

static void print_text(struct progress *progress, const char *format, va_list arguments)
{
	char text[512];
	vsnprintf(text, sizeof text, format, arguments);
	BUF_CLEANUP struct buf line = {0};
	buf_printable(&line, text, strlen(text));
	clear(progress);
	if (progress->timed)
		fprintf(stderr, "[%7.3f s] ", seconds_since(&progress->started));
	fprintf(stderr, "%s\n", buf_text(&line));
}

void progress_step_end(
	struct progress *progress, struct json_object *facts, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	pthread_mutex_lock(&progress->lock);
	progress->step = NULL;
	if (progress->style == PROGRESS_JSON)
		json_line_print(stderr, facts);
	else
		json_object_put(facts);
	if (progress->style == PROGRESS_PLAIN)
		print_text(progress, format, arguments);
	pthread_mutex_unlock(&progress->lock);
	va_end(arguments);
}

void progress_note(struct progress *progress, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	pthread_mutex_lock(&progress->lock);
	if (progress->style == PROGRESS_PLAIN)
		print_text(progress, format, arguments);
	pthread_mutex_unlock(&progress->lock);
	va_end(arguments);
}

void progress_clear(struct progress *progress)
{
	pthread_mutex_lock(&progress->lock);
	clear(progress);
	pthread_mutex_unlock(&progress->lock);
}

void progress_result(
	const struct build_settings *settings, enum status status, const char *path, bool changed)
{
	if (settings->progress != PROGRESS_JSON)
		return;
	struct json_object *event = event_new("result", NULL);
	event_number(event, "status", status);
	if (path) {
		json_object_object_add(event, "path", json_line_text(path));
		json_object_object_add(event, "changed", json_object_new_boolean(changed));
	}
	json_line_print(stderr, event);
}

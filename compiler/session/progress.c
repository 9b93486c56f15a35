/* SPDX-License-Identifier: MIT */
#include "compiler/session/progress.h"

#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/printable.h"

void progress_begin(struct progress *progress, const struct build_settings *settings)
{
	bool terminal = isatty(STDERR_FILENO);
	enum progress_style style = settings->progress;
	if (style == PROGRESS_AUTO)
		style = settings->quiet ? PROGRESS_NONE : PROGRESS_PLAIN;
	*progress = (struct progress){.style = style,
		.terminal = terminal && style == PROGRESS_PLAIN,
		.percent = -1,
		.timed = settings->verbose && style == PROGRESS_PLAIN};
	clock_gettime(CLOCK_MONOTONIC, &progress->started);
}

static void print_json(const char *key, struct json_object *value)
{
	struct json_object *object = json_object_new_object();
	json_object_object_add(object, key, value);
	fprintf(stderr, "%s\n",
		json_object_to_json_string_ext(
			object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

static double seconds_since(const struct timespec *start)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

void progress_step(struct progress *progress, const char *format, ...)
{
	if (progress->style == PROGRESS_NONE)
		return;
	char text[512];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	if (progress->style == PROGRESS_JSON) {
		print_json("step", json_object_new_string(text));
		return;
	}
	BUF_CLEANUP struct buf line = {0};
	buf_printable(&line, text, strlen(text));
	fputs(progress->terminal ? "\r\033[K" : "", stderr);
	if (progress->timed)
		fprintf(stderr, "[%7.3f s] ", seconds_since(&progress->started));
	fprintf(stderr, "%s\n", buf_text(&line));
}

void progress_bytes(void *context, uint64_t done_bytes, uint64_t total_bytes)
{
	struct progress *progress = context;
	int percent = total_bytes ? (int)(done_bytes * 100 / total_bytes) : 100;
	if (percent == progress->percent || progress->style == PROGRESS_NONE)
		return;
	progress->percent = percent;
	if (progress->style == PROGRESS_JSON)
		print_json("percent", json_object_new_int(percent));
	else if (progress->terminal)
		fprintf(stderr, "\rstore disk: %3d %%%s", percent,
			percent == 100 ? "\r\033[K" : "");
}

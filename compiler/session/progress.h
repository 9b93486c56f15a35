/* SPDX-License-Identifier: MIT */
/*
 * progress: reports the steps of a build on standard error, as text or as JSON events, one per
 * line. docs/pipelines.md lists the events.
 */
#ifndef MVM_COMPILER_SESSION_PROGRESS_H
#define MVM_COMPILER_SESSION_PROGRESS_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

#include "base/diag.h"
#include "base/meter.h"
#include "compiler/session/settings.h"

struct json_object;

/* Steps that are shown while they run. */
#define STEP_CLOSURE "closure"
#define STEP_STORE_DISK "store-disk"

enum { PROGRESS_NAME_BYTES = 256 };

struct progress {
	enum progress_style style; /* never PROGRESS_AUTO */
	bool rewritten;            /* the running step is shown in place, on a terminal */
	bool timed;                /* print the time since the start with each step */
	struct timespec started;
	struct meter meter; /* of the running step */

	pthread_mutex_t lock; /* guards the rest */
	const char *step;     /* the running one; NULL: none */
	size_t paths;
	uint64_t bytes, total;          /* read so far, and to be read in all; 0: unknown */
	char name[PROGRESS_NAME_BYTES]; /* of the store path that is being read */
	struct timespec shown;          /* when the numbers were shown last */
	bool drawn;                     /* they stand on the terminal */
};

void progress_begin(struct progress *progress, const struct build_settings *settings);

/* Returns the meter of the running step; NULL: nothing is shown. */
const struct meter *progress_meter(const struct progress *progress);
/* A step begins: `step` is a literal. */
void progress_step_begin(struct progress *progress, const char *step);
/* For image_settings, which begins STEP_STORE_DISK; `context` is a struct progress. */
void progress_bytes(void *context, uint64_t done_bytes, uint64_t total_bytes);
void progress_path(void *context, const char *path);

/* Returns the event of a step that is done, to which the caller adds facts. */
struct json_object *progress_facts(const char *step);
/* A step is done: prints its facts, which it releases, or the text. */
void progress_step_end(struct progress *progress, struct json_object *facts, const char *format,
	...) __attribute__((format(printf, 3, 4)));
/* Prints a text that is not a step. */
void progress_note(struct progress *progress, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Removes what is shown in place, before messages are printed. */
void progress_clear(struct progress *progress);

/* The last event: how the program ends. `path`: the output; NULL after an error. */
void progress_result(
	const struct build_settings *settings, enum status status, const char *path, bool changed);

#endif

/* SPDX-License-Identifier: MIT */
/* progress: reports the steps of a build on standard error. */
#ifndef MVM_COMPILER_SESSION_PROGRESS_H
#define MVM_COMPILER_SESSION_PROGRESS_H

#include <stdint.h>
#include <time.h>

#include "compiler/session/settings.h"

struct progress {
	enum progress_style style; /* never PROGRESS_AUTO */
	bool terminal;             /* the percentage is rewritten in place */
	int percent;               /* shown last */
	bool timed;                /* print the time since the start with each step */
	struct timespec started;
};

void progress_begin(struct progress *progress, const struct build_settings *settings);
/* Reports a step of the build: "closure: 173 store paths". */
void progress_step(struct progress *progress, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* For image_settings.progress; `context` is a struct progress. */
void progress_bytes(void *context, uint64_t done_bytes, uint64_t total_bytes);

#endif

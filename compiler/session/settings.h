/* SPDX-License-Identifier: MIT */
/* settings: how to build. No field changes the bytes of a runner. */
#ifndef MVM_COMPILER_SESSION_SETTINGS_H
#define MVM_COMPILER_SESSION_SETTINGS_H

#include <stdbool.h>

#include "base/arena.h"

enum progress_style { PROGRESS_AUTO, PROGRESS_PLAIN, PROGRESS_JSON, PROGRESS_NONE };

struct build_settings {
	const char *cache_dir; /* NULL: the user's own */
	bool no_cache;
	struct strings cache_from;   /* further caches */
	struct strings cache_owners; /* users, by name or number, whose files in them are trusted */
	unsigned jobs;               /* 0: NIX_BUILD_CORES, then all CPUs */
	bool all_cpus;               /* even if NIX_BUILD_CORES is set */
	bool force, no_sync;
	bool gcroot;
	const char *gcroot_dir; /* NULL: indirect roots */
	enum progress_style progress;
	bool quiet, verbose;
};

/* The number of threads. */
unsigned settings_jobs(const struct build_settings *settings);

#endif

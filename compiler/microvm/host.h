/* SPDX-License-Identifier: MIT */
/* host: what all actions of the `microvm` command share: where the VMs are, and how to report. */
#ifndef MVM_COMPILER_MICROVM_HOST_H
#define MVM_COMPILER_MICROVM_HOST_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/diag.h"
#include "compiler/session/settings.h"

struct host {
	struct arena *arena;
	struct diag *diag;
	const char *state_dir; /* absolute; has a directory for each VM */
	/* the directory of the VMs' Nix garbage collector roots; NULL: there is no Nix */
	const char *gcroots;
	struct build_settings settings;
	bool colours; /* standard output is coloured */
};

/* The command line, as the actions see it. */
struct request {
	struct strings words; /* names of VMs, or arguments for ssh */
	bool has_separator;   /* "--" precedes the words */
	const char *name;
	const char *source; /* NULL: not given */
	bool restart, rollback_on_failure, stop, volumes, all_files, json;
};

/* The actions, each in the file of its name. They return false after an error. */
bool verb_create(struct host *host, const struct request *request);
bool verb_update(struct host *host, const struct request *request);
bool verb_rollback(struct host *host, const struct request *request);
bool verb_run(struct host *host, const struct request *request);
bool verb_check(struct host *host, const struct request *request);
bool verb_list(struct host *host, const struct request *request);
bool verb_ssh(struct host *host, const struct request *request);
bool verb_fsck(struct host *host, const struct request *request);
bool verb_remove(struct host *host, const struct request *request);
bool verb_connect(struct host *host, const struct request *request); /* ssh's proxy: vsock.c */

enum colour {
	COLOUR_GOOD,
	COLOUR_BAD,
	COLOUR_COMMAND,
	COLOUR_RUNNING,
	COLOUR_BOOTED,
	COLOUR_STOPPED
};
/* Returns `text` in a colour if standard output is coloured. */
const char *host_coloured(const struct host *host, enum colour colour, const char *text);

/* Prints a line that --quiet suppresses. */
void host_say(const struct host *host, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif

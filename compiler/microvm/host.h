/* SPDX-License-Identifier: MIT */
/* host: what all verbs of the `microvm` command share: where VMs are, and who is told what. */
#ifndef MVM_COMPILER_MICROVM_HOST_H
#define MVM_COMPILER_MICROVM_HOST_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/diag.h"
#include "compiler/session/settings.h"

struct host {
	struct arena *arena;
	struct diag *diag;
	const char *state_dir; /* absolute; a directory of each VM is in it */
	/* the directory for microVMs among Nix's roots; NULL: there is no Nix */
	const char *gcroots;
	struct build_settings settings;
	bool colours; /* on standard output */
};

/* The command line as the verbs see it. */
struct request {
	struct strings words; /* names, or what is for another program */
	bool dashed;          /* "--" stood before the words */
	const char *name;
	const char *source; /* NULL: not given */
	bool restart, stop, volumes, all_files, json;
};

/* Each does what its name says; false after an error. The files are called like the verbs. */
bool verb_create(struct host *host, const struct request *request);
bool verb_update(struct host *host, const struct request *request);
bool verb_rollback(struct host *host, const struct request *request);
bool verb_run(struct host *host, const struct request *request);
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
/* `text` in a colour, where there are colours. */
const char *host_coloured(const struct host *host, enum colour colour, const char *text);

#endif

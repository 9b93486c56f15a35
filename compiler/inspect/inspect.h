/* SPDX-License-Identifier: MIT */
/* inspect: reports about runners, and about descriptions before they are built. */
#ifndef MVM_COMPILER_INSPECT_INSPECT_H
#define MVM_COMPILER_INSPECT_INSPECT_H

#include "compiler/session/session.h"

/* The files of the session are one runner, or descriptions. A report goes to standard output. */
bool inspect_size(struct session *session, bool json);
/* Like inspect_size: writes a page for a browser to `path`; "-" is standard output. */
bool inspect_size_page(struct session *session, const char *path);
/* Why the closure has a path, which may also be the name of a package. */
bool inspect_why(struct session *session, const char *path, bool json);
/* Compares two runners. */
bool inspect_diff(struct arena *arena, struct diag *diag, const char *before, const char *after,
	bool json, bool *differ);

#endif

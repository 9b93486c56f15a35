/* SPDX-License-Identifier: MIT */
/* inspect: reports about runners, and about descriptions before they are built. */
#ifndef MVM_COMPILER_INSPECT_INSPECT_H
#define MVM_COMPILER_INSPECT_INSPECT_H

#include <json-c/json.h>

#include "compiler/session/session.h"

/* A report about one VM. */
struct inspection {
	bool wants_json;
	const char *name;         /* of the VM */
	const char *text;         /* in the session's arena; NULL: JSON was wanted */
	struct json_object *json; /* the caller releases it */
	bool absent;              /* the only error: the closure does not have the path */
};

/* The files of the session are one runner, or descriptions. False after an error. */
bool inspect_size(struct session *session, struct inspection *report);
/* Why the closure has a path, which may also be the name of a package. */
bool inspect_why(struct session *session, const char *path, struct inspection *report);
/* Like inspect_size: writes a page for a browser to `path`; "-" is standard output. */
bool inspect_size_page(struct session *session, const char *path);
/* Compares two runners. */
bool inspect_diff(struct arena *arena, struct diag *diag, const char *before, const char *after,
	bool json, bool *differ);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A client of the HTTP interfaces that hypervisors have on a unix socket. One request a connection;
 * every wait has a deadline.
 */
#ifndef MVM_BACKENDS_RUNTIME_CONTROL_HTTP_H
#define MVM_BACKENDS_RUNTIME_CONTROL_HTTP_H

#include <stddef.h>
#include <stdint.h>

#include "backends/runtime/base/runtime.h"
#include "backends/runtime/control/json.h"

enum http_status {
	HTTP_OK,
	HTTP_REFUSED, /* the reply tells an error; the problem says which */
	HTTP_TIMEOUT,
	HTTP_GONE,   /* nobody listens, or the other side closed without a reply */
	HTTP_BROKEN, /* the system failed, or what came is not HTTP; the problem says it */
};

struct http {
	const char *path; /* of the socket */
	/* a pidfd of whoever listened first, -1 when the kernel does not tell */
	int process;
	char *buffer; /* the last reply */
	struct reason problem;
};

/* False when there is no memory. Connects to nobody yet. */
bool http_open(struct http *http, const char *path);
void http_close(struct http *http);

struct request {
	const char *method, *target;
	const char *json; /* the body; NULL: none */
};

/* The reply's body (may be NULL) lives until the next call. */
enum http_status http_request(
	struct http *http, const struct request *request, int64_t deadline, struct json *body);

#endif

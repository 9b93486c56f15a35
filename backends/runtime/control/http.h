/* SPDX-License-Identifier: MIT */
/*
 * http: a client of the HTTP interfaces that hypervisors provide on a unix socket. Each request has
 * its own connection; every wait has a deadline.
 */
#ifndef MVM_BACKENDS_RUNTIME_CONTROL_HTTP_H
#define MVM_BACKENDS_RUNTIME_CONTROL_HTTP_H

#include <stddef.h>
#include <stdint.h>

#include "backends/runtime/base/runtime.h"
#include "backends/runtime/control/json.h"

enum http_status {
	HTTP_OK,
	HTTP_REFUSED, /* the reply is an error, described by `problem` */
	HTTP_TIMEOUT,
	HTTP_GONE,   /* no process listens, or it closed the connection without a reply */
	HTTP_BROKEN, /* a system call failed, or the reply is not HTTP; see `problem` */
};

struct http {
	const char *path; /* of the socket */
	/* a pidfd of the process that listened first; -1 if the kernel does not provide one */
	int process;
	char *buffer; /* the last reply */
	struct reason problem;
};

/* False if memory runs out. Does not connect yet. */
bool http_open(struct http *http, const char *path);
void http_close(struct http *http);

struct request {
	const char *method, *target;
	const char *json; /* the body; NULL: none */
};

/* The reply's body (may be NULL) is valid until the next call. */
enum http_status http_request(
	struct http *http, const struct request *request, int64_t deadline, struct json *body);

#endif

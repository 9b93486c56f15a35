/* SPDX-License-Identifier: MIT */
#include "backends/runtime/control/http.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backends/runtime/base/peer.h"

enum { REPLY_MAX_BYTES = 1024 * 1024, REQUEST_MAX_BYTES = 1024 };

/* One request with its reply. The reply's bytes are in http->buffer. */
struct exchange {
	struct http *http;
	struct peer peer;
	int64_t deadline;
	size_t end; /* of the bytes read */
};

struct reply {
	unsigned code;
	size_t body, length; /* offset and length */
};

static enum http_status broken(struct http *http, const char *what)
{
	reason_set(&http->problem, "%s", what);
	return HTTP_BROKEN;
}

static enum http_status status_of(enum peer_status status)
{
	static const enum http_status words[] = {
		[PEER_OK] = HTTP_OK,
		[PEER_TIMEOUT] = HTTP_TIMEOUT,
		[PEER_GONE] = HTTP_GONE,
		[PEER_BROKEN] = HTTP_BROKEN,
	};
	return words[status];
}

static enum http_status fd_wait(struct exchange *exchange, short events)
{
	return status_of(
		peer_wait(&exchange->peer, events, exchange->deadline, &exchange->http->problem));
}

static enum http_status text_send(struct exchange *exchange, const char *text, size_t left)
{
	while (left) {
		ssize_t sent = send(exchange->peer.fd, text, left, MSG_NOSIGNAL);
		/* The server may have replied before it received everything. */
		if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
			return HTTP_OK;
		if (sent >= 0) {
			text += sent;
			left -= (size_t)sent;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return broken(exchange->http, strerror(errno));
		enum http_status status = fd_wait(exchange, POLLOUT);
		if (status != HTTP_OK)
			return status;
	}
	return HTTP_OK;
}

static enum http_status request_send(struct exchange *exchange, const struct request *request)
{
	char text[REQUEST_MAX_BYTES];
	const char *json = request->json ? request->json : "";
	int length = snprintf(text, sizeof text,
		"%s %s HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n",
		request->method, request->target);
	if (*json)
		length += snprintf(text + length, sizeof text - (size_t)length,
			"Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(json));
	length += snprintf(text + length, sizeof text - (size_t)length, "\r\n%s", json);
	return text_send(exchange, text, (size_t)length);
}

static enum http_status reply_fill(struct exchange *exchange)
{
	if (exchange->end == REPLY_MAX_BYTES)
		return broken(exchange->http, "the reply is too long");
	enum http_status status = fd_wait(exchange, POLLIN);
	if (status != HTTP_OK)
		return status;
	ssize_t got = recv(exchange->peer.fd, exchange->http->buffer + exchange->end,
		REPLY_MAX_BYTES - exchange->end, 0);
	if (got == 0 || (got < 0 && errno == ECONNRESET))
		return HTTP_GONE;
	if (got < 0 && errno != EINTR && errno != EAGAIN)
		return broken(exchange->http, strerror(errno));
	if (got > 0)
		exchange->end += (size_t)got;
	return HTTP_OK;
}

/*
 * Returns the value of a header line "Name: value" in text that ends with a newline; NULL if there
 * is none.
 */
static const char *header_find(const char *text, const char *end, const char *name)
{
	size_t length = strlen(name);
	for (const char *line = text; line < end;
		line = memchr(line, '\n', (size_t)(end - line)), line = line ? line + 1 : end)
		if ((size_t)(end - line) > length && line[length] == ':' &&
			!strncasecmp(line, name, length))
			return line + length + 1;
	return NULL;
}

/* Blanks, digits, blanks, end of the line. */
static bool length_parse(const char *text, size_t *length)
{
	text += strspn(text, " \t");
	size_t digits = strspn(text, "0123456789"), blanks = strspn(text + digits, " \t\r");
	if (!digits || digits > 9 || text[digits + blanks] != '\n')
		return false;
	*length = strtoul(text, NULL, 10);
	return true;
}

static bool code_parse(const char *text, size_t length, unsigned *code)
{
	if (length < sizeof "HTTP/1.1 200" - 1 || memcmp(text, "HTTP/1.", 7) || text[8] != ' ' ||
		strspn(text + 9, "0123456789") != 3)
		return false;
	*code = (unsigned)strtoul(text + 9, NULL, 10);
	return true;
}

/* A reply without a length has no body: these servers always send it, and never use chunks. */
static enum http_status head_parse(struct http *http, size_t head, struct reply *reply)
{
	const char *value;
	*reply = (struct reply){.body = head};
	if (!code_parse(http->buffer, head, &reply->code) ||
		header_find(http->buffer, http->buffer + head, "Transfer-Encoding"))
		return broken(http, "the reply is not HTTP");
	value = header_find(http->buffer, http->buffer + head, "Content-Length");
	if (value &&
		(!length_parse(value, &reply->length) || reply->length > REPLY_MAX_BYTES - head))
		return broken(http, "the reply's length is wrong, or too long");
	return HTTP_OK;
}

static enum http_status reply_read(struct exchange *exchange, struct reply *reply)
{
	static const char end[] = "\r\n\r\n";
	const char *found;
	enum http_status status = HTTP_OK;
	while (!(found = memmem(exchange->http->buffer, exchange->end, end, sizeof end - 1)) &&
		status == HTTP_OK)
		status = reply_fill(exchange);
	if (status == HTTP_GONE && exchange->end)
		return broken(exchange->http, "the reply is truncated");
	if (status == HTTP_OK)
		status = head_parse(exchange->http,
			(size_t)(found - exchange->http->buffer) + sizeof end - 1, reply);
	while (status == HTTP_OK && exchange->end - reply->body < reply->length)
		status = reply_fill(exchange);
	return status == HTTP_GONE && exchange->end
		? broken(exchange->http, "the reply is truncated")
		: status;
}

/* Firecracker sends {"fault_message": "…"}; Cloud Hypervisor a list of strings, or plain text. */
static enum http_status error_note(struct http *http, unsigned code, struct json body)
{
	struct json object, message;
	char text[200];
	if (!json_object_parse(body.p, body.n, &object) ||
		!json_member(object, "fault_message", &message) ||
		!json_string_copy(message, text, sizeof text)) {
		size_t used = 0;
		for (size_t i = 0; i < body.n && used + 1 < sizeof text; i++)
			text[used++] = body.p[i] >= 0x20 && body.p[i] < 0x7f ? body.p[i] : '?';
		text[used] = '\0';
	}
	reason_set(&http->problem, "%s (HTTP status %u)", *text ? text : "refused", code);
	return HTTP_REFUSED;
}

static enum http_status exchange_run(
	struct exchange *exchange, const struct request *request, struct json *body)
{
	struct reply reply = {0};
	enum http_status status = request_send(exchange, request);
	if (status == HTTP_OK)
		status = reply_read(exchange, &reply);
	if (status != HTTP_OK)
		return status;
	struct json got = {exchange->http->buffer + reply.body, reply.length};
	if (reply.code < 200 || reply.code > 299)
		return error_note(exchange->http, reply.code, got);
	if (body)
		*body = got;
	return HTTP_OK;
}

enum http_status http_request(
	struct http *http, const struct request *request, int64_t deadline, struct json *body)
{
	struct exchange exchange = {.http = http, .deadline = deadline};
	enum http_status status =
		status_of(peer_open(&exchange.peer, http->path, deadline, &http->problem));
	if (status == HTTP_OK)
		status = exchange_run(&exchange, request, body);
	if (http->process < 0) {
		http->process = exchange.peer.process;
		exchange.peer.process = -1;
	}
	peer_close(&exchange.peer);
	return status;
}

bool http_open(struct http *http, const char *path)
{
	*http = (struct http){.path = path, .process = -1, .buffer = malloc(REPLY_MAX_BYTES)};
	if (!http->buffer)
		complain("out of memory");
	return http->buffer;
}

void http_close(struct http *http)
{
	if (http->process >= 0)
		close(http->process);
	free(http->buffer);
	*http = (struct http){.process = -1};
}

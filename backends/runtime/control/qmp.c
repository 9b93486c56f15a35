/* SPDX-License-Identifier: MIT */
#include "backends/runtime/control/qmp.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "backends/runtime/base/runtime.h"

enum { LINE_MAX_BYTES = 1024 * 1024, COMMAND_MAX_BYTES = 1024 };

struct message {
	enum { MESSAGE_GREETING, MESSAGE_RESULT, MESSAGE_ERROR, MESSAGE_EVENT } kind;
	struct json object, value; /* value: of the member that determines the kind */
};

static enum qmp_status broken(struct qmp *qmp, const char *what, int error)
{
	snprintf(qmp->problem, sizeof qmp->problem, "%s: %s", what, strerror(error));
	return QMP_BROKEN;
}

/* Converts the status of the socket functions. */
static enum qmp_status status_of(struct qmp *qmp, enum peer_status status, const struct reason *why)
{
	static const enum qmp_status words[] = {
		[PEER_OK] = QMP_OK,
		[PEER_TIMEOUT] = QMP_TIMEOUT,
		[PEER_GONE] = QMP_GONE,
		[PEER_BROKEN] = QMP_BROKEN,
	};
	if (status == PEER_BROKEN)
		snprintf(qmp->problem, sizeof qmp->problem, "%s", why->text);
	return words[status];
}

static enum qmp_status fd_wait(struct qmp *qmp, short events, int64_t deadline)
{
	struct reason why;
	return status_of(qmp, peer_wait(&qmp->peer, events, deadline, &why), &why);
}

static enum qmp_status buffer_fill(struct qmp *qmp, int64_t deadline)
{
	if (qmp->start) {
		memmove(qmp->buffer, qmp->buffer + qmp->start, qmp->end - qmp->start);
		qmp->end -= qmp->start;
		qmp->scanned -= qmp->start;
		qmp->start = 0;
	}
	if (qmp->end == LINE_MAX_BYTES) {
		snprintf(qmp->problem, sizeof qmp->problem, "a line of more than %d bytes",
			LINE_MAX_BYTES);
		return QMP_BROKEN;
	}
	enum qmp_status status = fd_wait(qmp, POLLIN, deadline);
	if (status != QMP_OK)
		return status;
	ssize_t got = recv(qmp->peer.fd, qmp->buffer + qmp->end, LINE_MAX_BYTES - qmp->end, 0);
	if (got == 0 || (got < 0 && errno == ECONNRESET))
		return QMP_GONE;
	if (got < 0 && errno != EINTR && errno != EAGAIN)
		return broken(qmp, "read", errno);
	if (got > 0)
		qmp->end += (size_t)got;
	return QMP_OK;
}

/* The line is valid until the next call. */
static enum qmp_status line_read(
	struct qmp *qmp, int64_t deadline, const char **line, size_t *length)
{
	for (;;) {
		const char *newline =
			memchr(qmp->buffer + qmp->scanned, '\n', qmp->end - qmp->scanned);
		if (newline) {
			*line = qmp->buffer + qmp->start;
			*length = (size_t)(newline - *line);
			qmp->start += *length + 1;
			qmp->scanned = qmp->start;
			return QMP_OK;
		}
		qmp->scanned = qmp->end;
		enum qmp_status status = buffer_fill(qmp, deadline);
		if (status != QMP_OK)
			return status;
	}
}

static void event_note(struct qmp *qmp, const struct message *message)
{
	struct json data, reason, guest;
	if (json_is_string(message->value, "STOP") || json_is_string(message->value, "RESUME"))
		qmp->stopped = json_is_string(message->value, "STOP");
	if (!json_is_string(message->value, "SHUTDOWN") ||
		!json_member(message->object, "data", &data))
		return;
	if (json_member(data, "reason", &reason))
		json_string_copy(reason, qmp->reason, sizeof qmp->reason);
	qmp->guest_down =
		json_member(data, "guest", &guest) && guest.n == 4 && !memcmp(guest.p, "true", 4);
}

static void message_note(struct qmp *qmp, const struct message *message)
{
	if (message->kind == MESSAGE_EVENT)
		event_note(qmp, message);
	else if (message->kind != MESSAGE_GREETING && qmp->unanswered)
		qmp->unanswered--;
}

static enum qmp_status message_read(struct qmp *qmp, int64_t deadline, struct message *message)
{
	static const char *const members[] = {
		[MESSAGE_GREETING] = "QMP",
		[MESSAGE_RESULT] = "return",
		[MESSAGE_ERROR] = "error",
		[MESSAGE_EVENT] = "event",
	};
	const char *line;
	size_t length;
	enum qmp_status status = line_read(qmp, deadline, &line, &length);
	if (status != QMP_OK)
		return status;
	if (json_object_parse(line, length, &message->object)) {
		for (unsigned kind = 0; kind < sizeof members / sizeof *members; kind++) {
			if (!json_member(message->object, members[kind], &message->value))
				continue;
			message->kind = kind;
			message_note(qmp, message);
			return QMP_OK;
		}
	}
	snprintf(qmp->problem, sizeof qmp->problem, "the reply is not QMP");
	return QMP_BROKEN;
}

static enum qmp_status text_send(struct qmp *qmp, const char *text, int64_t deadline)
{
	size_t left = strlen(text);
	while (left) {
		ssize_t sent = send(qmp->peer.fd, text, left, MSG_NOSIGNAL);
		/*
		 * Messages received before the end, above all the SHUTDOWN event, are still unread:
		 * the reader detects the end.
		 */
		if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
			return QMP_OK;
		if (sent >= 0) {
			text += sent;
			left -= (size_t)sent;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return broken(qmp, "write", errno);
		enum qmp_status status = fd_wait(qmp, POLLOUT, deadline);
		if (status != QMP_OK)
			return status;
	}
	return QMP_OK;
}

static enum qmp_status error_note(struct qmp *qmp, struct json error)
{
	struct json class, text;
	if (!json_member(error, "class", &class) ||
		!json_string_copy(class, qmp->error_class, sizeof qmp->error_class))
		qmp->error_class[0] = '\0';
	if (!json_member(error, "desc", &text) ||
		!json_string_copy(text, qmp->problem, sizeof qmp->problem))
		snprintf(qmp->problem, sizeof qmp->problem, "an error without description");
	return QMP_REFUSED;
}

enum qmp_status qmp_command(
	struct qmp *qmp, const char *command, int64_t deadline, struct json *result)
{
	/*
	 * Sends the command in one piece: StratoVirt treats every piece that it reads as a command,
	 * and answers a separate newline with an error.
	 */
	char line[COMMAND_MAX_BYTES];
	if (snprintf(line, sizeof line, "%s\n", command) >= (int)sizeof line)
		return broken(qmp, "command", E2BIG);
	enum qmp_status status = text_send(qmp, line, deadline);
	if (status != QMP_OK)
		return status;
	qmp->unanswered++;
	struct message message;
	do {
		status = message_read(qmp, deadline, &message);
		if (status != QMP_OK)
			return status;
	} while (message.kind == MESSAGE_EVENT || qmp->unanswered);
	if (message.kind == MESSAGE_ERROR)
		return error_note(qmp, message.value);
	if (message.kind != MESSAGE_RESULT) {
		snprintf(qmp->problem, sizeof qmp->problem, "a second greeting");
		return QMP_BROKEN;
	}
	if (result)
		*result = message.value;
	return QMP_OK;
}

enum qmp_status qmp_wait_end(struct qmp *qmp, int64_t deadline)
{
	enum qmp_status status;
	struct message message;
	do
		status = message_read(qmp, deadline, &message);
	while (status == QMP_OK);
	return status;
}

void qmp_wait_process(const struct qmp *qmp, int64_t deadline)
{
	process_wait(qmp->peer.process, deadline);
}

enum qmp_status qmp_open(struct qmp *qmp, const char *path, int64_t deadline)
{
	*qmp = (struct qmp){.peer = {-1, -1}};
	qmp->buffer = malloc(LINE_MAX_BYTES);
	if (!qmp->buffer)
		return broken(qmp, "memory", ENOMEM);
	struct reason why;
	enum qmp_status status = status_of(qmp, peer_open(&qmp->peer, path, deadline, &why), &why);
	if (status != QMP_OK)
		return status;
	struct message message;
	status = message_read(qmp, deadline, &message);
	if (status == QMP_TIMEOUT)
		snprintf(qmp->problem, sizeof qmp->problem,
			"no greeting: another client holds this monitor, or the hypervisor hangs");
	if (status != QMP_OK)
		return status;
	if (message.kind != MESSAGE_GREETING) {
		snprintf(qmp->problem, sizeof qmp->problem,
			"the first message is not a QMP greeting");
		return QMP_BROKEN;
	}
	status = qmp_command(qmp, "{\"execute\":\"qmp_capabilities\"}", deadline, NULL);
	if (status == QMP_TIMEOUT)
		snprintf(qmp->problem, sizeof qmp->problem, "no answer: the hypervisor hangs");
	return status;
}

void qmp_close(struct qmp *qmp)
{
	peer_close(&qmp->peer);
	free(qmp->buffer);
	*qmp = (struct qmp){.peer = {-1, -1}};
}

/* SPDX-License-Identifier: MIT */
/*
 * journal: passes a guest's console on to the journal, which shows a line with a control character
 * as "[30B blob data]" (utf8_is_printable, systemd's src/basic/utf8.c). A carriage return begins a
 * line; escape sequences and other control characters are left out.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "backends/runtime/base/runtime.h"

enum place {
	IN_TEXT,
	AFTER_ESCAPE, /* also after the intermediate bytes of "ESC ( B" */
	IN_SEQUENCE,  /* ESC [ ..., to a byte from @ to ~ (ECMA-48, 5.4) */
	IN_STRING,    /* ESC ] ..., to BEL or ESC \ */
	AFTER_STRING_ESCAPE,
};

struct filter {
	enum place place;
	bool has_text;     /* in the current line */
	bool has_returned; /* a carriage return is due */
	char out[8192];
	size_t n;
};

static enum place next_place(enum place place, unsigned char c)
{
	switch (place) {
	case AFTER_ESCAPE:
		if (c >= ' ' && c <= '/')
			return AFTER_ESCAPE;
		return c == '[' ? IN_SEQUENCE : c == ']' ? IN_STRING : IN_TEXT;
	case IN_SEQUENCE:
		return c >= '@' && c <= '~' ? IN_TEXT : IN_SEQUENCE;
	case IN_STRING:
		return c == '\a' ? IN_TEXT : c == '\033' ? AFTER_STRING_ESCAPE : IN_STRING;
	case AFTER_STRING_ESCAPE:
		return c == '\\' ? IN_TEXT : IN_STRING;
	case IN_TEXT:
		break;
	}
	return IN_TEXT;
}

static void put(struct filter *filter, unsigned char c)
{
	filter->out[filter->n++] = (char)c;
}

static void put_text(struct filter *filter, unsigned char c)
{
	if (filter->has_returned && filter->has_text)
		put(filter, '\n');
	filter->has_returned = false;
	filter->has_text = true;
	put(filter, c);
}

static void take(struct filter *filter, unsigned char c)
{
	if (filter->place != IN_TEXT) {
		/* A line end within a sequence means that it was not an escape sequence. */
		filter->place = c == '\n' ? IN_TEXT : next_place(filter->place, c);
		if (c != '\n')
			return;
	}
	if (c == '\033') {
		filter->place = AFTER_ESCAPE;
	} else if (c == '\r') {
		filter->has_returned = true;
	} else if (c == '\n') {
		put(filter, c);
		filter->has_returned = filter->has_text = false;
	} else if (c == '\t' || (c >= ' ' && c != 0x7f)) {
		put_text(filter, c);
	}
}

/* Unwritable output is dropped, because the hypervisor must survive the journal. */
static void flush(struct filter *filter)
{
	const char *at = filter->out, *end = at + filter->n;
	while (at < end) {
		const ssize_t written = write(STDOUT_FILENO, at, (size_t)(end - at));
		if (written < 0 && errno != EINTR)
			break;
		at += written > 0 ? written : 0;
	}
	filter->n = 0;
}

int verb_journal(char **arguments)
{
	static struct filter filter;
	/* Each byte becomes at most two. */
	unsigned char block[sizeof filter.out / 2];
	ssize_t got;
	(void)arguments;
	/* systemd signals all processes of the unit at once, before the guest's last lines. */
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	while ((got = read(STDIN_FILENO, block, sizeof block)) != 0) {
		if (got < 0 && errno != EINTR)
			break;
		for (ssize_t i = 0; i < got; i++)
			take(&filter, block[i]);
		flush(&filter);
	}
	return STATUS_OK;
}

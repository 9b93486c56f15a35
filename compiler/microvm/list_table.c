/* SPDX-License-Identifier: MIT */
/* list_table: the list for people. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/printable.h"
#include "compiler/microvm/list.h"

enum { FINGERPRINT_SHOWN = 8, STORE_HASH_LENGTH = 32 };

/* Store paths are called HASH-NAME; a root file system has the name of its directory. */
static const char *without_hash(const char *base)
{
	const char *dash = strchr(base, '-');
	return dash && dash - base == STORE_HASH_LENGTH ? dash + 1 : base;
}

/* The name of the system, and the first digits of the fingerprint. */
static const char *label(const struct host *host, const struct product *product)
{
	const char *name = printable_text(
		host->arena, product->system ? without_hash(path_base(product->system)) : "?");
	return product->fingerprint ? printable_text(host->arena,
					      arena_printf(host->arena, "%s@%.*s", name,
						      FINGERPRINT_SHOWN, product->fingerprint))
				    : name;
}

/* How long ago the state of the unit changed: "12s", "3h". */
static const char *age(const struct host *host, const struct unit *unit)
{
	static const struct {
		unsigned long long seconds;
		char letter;
	} steps[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!unit->since_us)
		return "-";
	const unsigned long long then = unit->since_us / 1000000;
	const unsigned long long seconds =
		(unsigned long long)now.tv_sec > then ? (unsigned long long)now.tv_sec - then : 0;
	size_t i = 0;
	while (i + 1 < countof(steps) && seconds < 2 * steps[i].seconds)
		i++;
	return arena_printf(host->arena, "%llu%c", seconds / steps[i].seconds, steps[i].letter);
}

static void add_note(struct buf *notes, const char *text)
{
	buf_puts(notes, notes->n ? "; " : "");
	buf_printable(notes, text, strlen(text));
}

/* How to bring the VM to its newest runner. */
static void add_build_note(const struct host *host, const struct row *row, struct buf *notes)
{
	const char *name = row->machine.name;
	if (row->problem)
		add_note(notes, row->problem);
	else if (row->state == STATE_OUTDATED)
		add_note(notes,
			arena_printf(host->arena, "microvm -Ru %s builds and boots %s", name,
				label(host, &row->wanted)));
	else if (row->state == STATE_STALE)
		add_note(notes,
			arena_printf(host->arena,
				"it still runs %s: systemctl restart microvm@%s boots the current "
				"one",
				label(host, &row->booted), name));
}

static const char *notes_of(const struct host *host, const struct row *row)
{
	BUF_CLEANUP struct buf notes = {0};
	const char *name = row->machine.name, *now = row_activity(row);
	if (row->paused)
		add_note(&notes, row->paused);
	if (row->by_hand && !unit_is_active(&row->unit))
		add_note(&notes, row->by_hand);
	if (row->failure)
		add_note(&notes, row->failure);
	if (strcmp(now, "gave up") == 0)
		add_note(&notes,
			arena_printf(host->arena,
				"to try again: systemctl reset-failed 'microvm*@%s.service' && "
				"systemctl start microvm@%s",
				name, name));
	else if (strcmp(now, "stopped") == 0 || strcmp(now, "failed") == 0)
		add_note(&notes, arena_printf(host->arena, "systemctl start microvm@%s", name));
	add_build_note(host, row, &notes);
	return arena_strdup(host->arena, buf_text(&notes));
}

enum column {
	COLUMN_NAME,
	COLUMN_STATE,
	COLUMN_SINCE,
	COLUMN_RESTARTS,
	COLUMN_BOOT,
	COLUMN_BUILD,
	COLUMN_SYSTEM,
	COLUMN_NOTE,
	COLUMN_COUNT
};

struct line {
	const char *cells[COLUMN_COUNT];
};

static const struct line head = {
	{"NAME", "STATE", "SINCE", "RESTARTS", "BOOT", "BUILD", "SYSTEM", "NOTE"}};

static struct line line_of(const struct host *host, const struct row *row)
{
	return (struct line){{
		[COLUMN_NAME] = row->machine.name,
		[COLUMN_STATE] = row_activity(row),
		[COLUMN_SINCE] = age(host, &row->unit),
		[COLUMN_RESTARTS] = arena_printf(host->arena, "%lu", row->unit.restarts),
		[COLUMN_BOOT] = row_is_enabled(row) ? "yes" : "no",
		[COLUMN_BUILD] = row_state_names[row->state],
		[COLUMN_SYSTEM] = label(host, &row->current),
		[COLUMN_NOTE] = notes_of(host, row),
	}};
}

static enum colour colour_of(const struct row *row)
{
	const char *now = row_activity(row);
	if (strcmp(now, "running") == 0 || strcmp(now, "by hand") == 0)
		return COLOUR_RUNNING;
	return row->machine.booted && !row->failure ? COLOUR_BOOTED : COLOUR_STOPPED;
}

static const char *coloured_cell(
	const struct host *host, const struct row *row, size_t column, const char *text)
{
	switch (column) {
	case COLUMN_NAME:
	case COLUMN_STATE:
		return host_coloured(host, colour_of(row), text);
	case COLUMN_BUILD:
		return host_coloured(
			host, row->state == STATE_CURRENT ? COLOUR_GOOD : COLOUR_BAD, text);
	default:
		return text;
	}
}

/* The last column is as wide as its text. */
static void print_line(const struct host *host, const struct line *line, const size_t *widths,
	const struct row *row)
{
	const size_t last = *line->cells[COLUMN_NOTE] ? COLUMN_NOTE : COLUMN_SYSTEM;
	for (size_t i = 0; i <= last; i++) {
		const char *text = i == last
			? line->cells[i]
			: arena_printf(host->arena, "%-*s", (int)widths[i], line->cells[i]);
		printf("%s%s", i ? "  " : "", row ? coloured_cell(host, row, i, text) : text);
	}
	putchar('\n');
}

void list_print_table(const struct host *host, const struct row *rows, size_t count)
{
	struct line *lines = arena_alloc(host->arena, count * sizeof *lines);
	size_t widths[COLUMN_COUNT];
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		widths[i] = strlen(head.cells[i]);
	for (size_t i = 0; i < count; i++) {
		lines[i] = line_of(host, &rows[i]);
		for (size_t k = 0; k < COLUMN_COUNT; k++)
			if (strlen(lines[i].cells[k]) > widths[k])
				widths[k] = strlen(lines[i].cells[k]);
	}
	print_line(host, &head, widths, NULL);
	for (size_t i = 0; i < count; i++)
		print_line(host, &lines[i], widths, &rows[i]);
}

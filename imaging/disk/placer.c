/* SPDX-License-Identifier: MIT */
#include "imaging/disk/placer.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/table.h"
#include "imaging/disk/writer.h"

enum {
	PAGE = OBJECT_PAGE,
	SMALL_AREA = 8 * PAGE, /* packs several objects, each with less than a page of data */
	COMPARE_BYTES = 64 * 1024,
};

/* From `from` up to the next piece, the object's data is at `to` in the image. */
struct piece {
	uint64_t from, to;
	bool shared; /* with an earlier object */
};

struct placer {
	struct image_writer *image;
	uint64_t end;
	uint64_t small_start;
	size_t small_used; /* SMALL_AREA if there is no area yet, or it is full */
	unsigned char small[SMALL_AREA];

	/* runs of earlier objects, with `start` in the image */
	struct run *known;
	size_t nknown, known_capacity;
	struct table table; /* of indices of known */

	/* of the object to be added, or added last */
	struct run *runs;
	size_t nruns, runs_capacity;
	struct piece *pieces;
	size_t npieces, pieces_capacity;

	unsigned char compare[2][COMPARE_BYTES];
};

static void *grown(void *v, size_t n, size_t *capacity, size_t item)
{
	if (n < *capacity)
		return v;
	*capacity = *capacity ? *capacity * 2 : 64;
	return require_memory(realloc(v, *capacity * item));
}

struct placer *placer_new(struct image_writer *image, uint64_t start)
{
	struct placer *placer = require_memory(calloc(1, sizeof *placer));
	placer->image = image;
	placer->end = start;
	placer->small_used = SMALL_AREA;
	return placer;
}

void placer_free(struct placer *placer)
{
	if (!placer)
		return;
	table_free(&placer->table);
	free(placer->known);
	free(placer->runs);
	free(placer->pieces);
	free(placer);
}

static uint64_t page_up(uint64_t at)
{
	return (at + PAGE - 1) & ~(uint64_t)(PAGE - 1);
}

static uint64_t page_down(uint64_t at)
{
	return at & ~(uint64_t)(PAGE - 1);
}

/* ---- runs of earlier objects ---- */

static uint64_t known_hash(const struct run *run)
{
	return run->hash ^ run->bytes;
}

/* Returns an earlier run with the same hash and size, or NULL. */
static const struct run *known_find(const struct placer *placer, const struct run *run)
{
	struct table_search search = table_search(known_hash(run));
	for (size_t i; table_next(&placer->table, &search, &i);)
		if (placer->known[i].hash == run->hash && placer->known[i].bytes == run->bytes)
			return &placer->known[i];
	return NULL;
}

static void known_add(struct placer *placer, struct run run)
{
	if (known_find(placer, &run))
		return;
	placer->known = grown(
		placer->known, placer->nknown, &placer->known_capacity, sizeof *placer->known);
	table_add(NULL, &placer->table, known_hash(&run), placer->nknown);
	placer->known[placer->nknown++] = run;
}

/* The hash only finds candidates: bytes are compared before they are shared. */
static bool is_same(
	struct placer *placer, const struct object *object, const struct run *run, uint64_t place)
{
	for (uint64_t at = 0; at < run->bytes;) {
		const uint64_t left = run->bytes - at;
		const size_t part = left < COMPARE_BYTES ? (size_t)left : COMPARE_BYTES;
		if (!object_read_data(object, placer->compare[0], part, run->start + at) ||
			!image_writer_read(placer->image, placer->compare[1], part, place + at) ||
			memcmp(placer->compare[0], placer->compare[1], part) != 0)
			return false;
		at += part;
	}
	return true;
}

/* ---- runs of one object ---- */

static bool saves_a_page(const struct run *run)
{
	return page_down(run->start + run->bytes) > page_up(run->start);
}

void placer_note_run(struct placer *placer, struct run run)
{
	if (!saves_a_page(&run))
		return;
	placer->runs =
		grown(placer->runs, placer->nruns, &placer->runs_capacity, sizeof *placer->runs);
	placer->runs[placer->nruns++] = run;
}

static int run_compare(const void *a, const void *b)
{
	const struct run *x = a, *y = b;
	return x->start < y->start ? -1 : x->start > y->start;
}

/* ---- placing ---- */

static void piece_add(struct placer *placer, struct piece piece)
{
	placer->pieces = grown(
		placer->pieces, placer->npieces, &placer->pieces_capacity, sizeof *placer->pieces);
	placer->pieces[placer->npieces++] = piece;
}

/* Appends whole pages of the object to the image; `from` and `to` are multiples of a page. */
static bool append(struct placer *placer, const struct object *object, uint64_t from, uint64_t to)
{
	const uint64_t at = placer->end;
	placer->end += to - from;
	if (object->small)
		return image_writer_put(placer->image, object->small + from, to - from, at);
	return image_writer_copy(placer->image, object->fd, from, to - from, at);
}

static bool add_large(struct placer *placer, const struct object *object)
{
	if (placer->nruns)
		qsort(placer->runs, placer->nruns, sizeof *placer->runs, run_compare);
	uint64_t copied = 0; /* the object's pages before this offset are in the image, or shared */
	piece_add(placer, (struct piece){.from = 0, .to = placer->end});
	for (size_t i = 0; i < placer->nruns; i++) {
		const struct run *run = &placer->runs[i];
		const struct run *known = known_find(placer, run);
		const uint64_t run_end = run->start + run->bytes,
			       data_bytes = object->footer.data_bytes;
		if (run->start < copied || run->bytes > data_bytes ||
			run->start > data_bytes - run->bytes || !known ||
			!is_same(placer, object, run, known->start))
			continue;
		if (!append(placer, object, copied, page_up(run->start)))
			return false;
		copied = page_down(run_end);
		piece_add(placer,
			(struct piece){.from = run->start, .to = known->start, .shared = true});
		piece_add(placer,
			(struct piece){.from = run_end, .to = placer->end + (run_end - copied)});
	}
	return append(placer, object, copied, object->footer.tables_offset);
}

static void remember_runs(struct placer *placer)
{
	for (size_t i = 0; i < placer->nruns; i++) {
		struct run run = placer->runs[i];
		run.start = placer_locate(placer, run.start);
		known_add(placer, run);
	}
}

static bool small_write(const struct placer *placer)
{
	return placer->small_start == 0 ||
		image_writer_put(
			placer->image, placer->small, placer->small_used, placer->small_start);
}

static bool add_small(struct placer *placer, const struct object *object)
{
	const size_t bytes = (size_t)object->footer.data_bytes;
	if (SMALL_AREA - placer->small_used < bytes) {
		if (!small_write(placer))
			return false;
		placer->small_start = placer->end;
		placer->small_used = 0;
		placer->end += SMALL_AREA;
	}
	memcpy(placer->small + placer->small_used, object->small, bytes);
	piece_add(
		placer, (struct piece){.from = 0, .to = placer->small_start + placer->small_used});
	placer->small_used += bytes;
	return true;
}

bool placer_add(struct placer *placer, const struct object *object)
{
	placer->npieces = 0;
	bool ok = object->footer.data_bytes < PAGE ? add_small(placer, object)
						   : add_large(placer, object);
	if (ok)
		remember_runs(placer);
	placer->nruns = 0;
	return ok;
}

void placer_add_placed(struct placer *placer)
{
	placer->npieces = 0;
	placer->nruns = 0;
	piece_add(placer, (struct piece){0});
}

uint64_t placer_locate(const struct placer *placer, uint64_t start)
{
	size_t low = 0, high = placer->npieces;
	while (high - low > 1) {
		const size_t middle = low + (high - low) / 2;
		if (placer->pieces[middle].from <= start)
			low = middle;
		else
			high = middle;
	}
	return placer->pieces[low].to + (start - placer->pieces[low].from);
}

uint64_t placer_reserve(struct placer *placer, uint64_t bytes)
{
	const uint64_t at = placer->end;
	placer->end += page_up(bytes);
	return at;
}

bool placer_finish(struct placer *placer, uint64_t *end)
{
	if (placer->small_start && placer->small_start + SMALL_AREA == placer->end)
		placer->end = placer->small_start + placer->small_used;
	*end = placer->end;
	return small_write(placer);
}

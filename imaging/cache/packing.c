/* SPDX-License-Identifier: MIT */
#include "imaging/cache/packing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/arena.h"
#include "base/file.h"

enum { GATHER_BYTES = 64 * 1024 /* for fewer system calls */ };

void packing_init(struct packing *p, const struct packing_request *request)
{
	p->root = request->path;
	p->whole = request->whole;
	p->identity = request->identity;
	p->progress = request->progress;
	p->progress_context = request->progress_context;
	p->target = require_memory(strdup(request->target));
	p->fd = request->fd;
	p->data_hash = require_memory(XXH3_createState());
	XXH3_128bits_reset(p->data_hash);
}

void packing_release(struct packing *p)
{
	store_walk_free(&p->walk);
	fd_close(&p->fd);
	buf_free(&p->records);
	buf_free(&p->fragments);
	free(p->gathered);
	XXH3_freeState(p->data_hash);
	free(p->target);
}

uint64_t packing_content_bytes(const struct packing *p)
{
	return p->walk.content_bytes;
}

/* Records an error about the object's file; returns false. */
static bool write_failed(const struct packing *p, struct diag *diag)
{
	return diag_error(diag, STATUS_FAILED, NULL, "unwritable-file", "cannot write %s: %s",
		p->target, strerror(errno));
}

static bool write_gathered(struct packing *p)
{
	const size_t count = p->gathered_bytes;
	p->gathered_bytes = 0;
	return fd_write_all(p->fd, p->gathered, count, (off_t)(p->data_bytes - count));
}

static bool gather(struct packing *p, const void *bytes, size_t count)
{
	if (p->gathered_bytes + count > GATHER_BYTES && !write_gathered(p))
		return false;
	if (count > GATHER_BYTES)
		return fd_write_all(p->fd, bytes, count, (off_t)p->data_bytes);
	if (!p->gathered)
		p->gathered = require_memory(malloc(GATHER_BYTES));
	memcpy(p->gathered + p->gathered_bytes, bytes, count);
	p->gathered_bytes += count;
	return true;
}

bool packing_write(struct packing *p, struct diag *diag, const void *bytes, size_t count)
{
	if (count == 0)
		return true;
	if (!gather(p, bytes, count))
		return write_failed(p, diag);
	XXH3_128bits_update(p->data_hash, bytes, count);
	p->data_bytes += count;
	return true;
}

void packing_progress(struct packing *p, uint64_t more_bytes)
{
	p->read_bytes += more_bytes;
	p->progress(p->progress_context, more_bytes);
}

void packing_progress_end(struct packing *p)
{
	if (p->read_bytes < p->walk.content_bytes)
		packing_progress(p, p->walk.content_bytes - p->read_bytes);
}

/* ---- records ---- */

static void pad_records(struct packing *p, size_t unit)
{
	static const char zeros[8];
	buf_add(&p->records, zeros, -p->records.n & (unit - 1));
}

void packing_attributes(struct packing *p, const struct store_node *node)
{
	if (!node->attributes)
		return;
	const struct object_record record = {.type = OBJECT_ATTRIBUTES,
		.count = (uint32_t)node->attributes->n,
		.number = node->number,
		.parent = node->parent};
	packing_record_begin(p, record, NULL, "");
	buf_add(&p->records, node->attributes->p, node->attributes->n);
	packing_record_end(p);
}

uint64_t packing_record_begin(struct packing *p, struct object_record record,
	const struct object_file *file, const char *name)
{
	uint64_t at = p->records.n;
	record.name_length = (uint8_t)strlen(name);
	buf_add(&p->records, &record, sizeof record);
	if (file)
		buf_add(&p->records, file, sizeof *file);
	buf_add(&p->records, name, record.name_length);
	pad_records(p, 4);
	return at;
}

void packing_record_end(struct packing *p)
{
	pad_records(p, 8);
}

/* ---- footer ---- */

static struct object_footer footer_of(const struct packing *p)
{
	struct object_footer f = {.magic = "MVMOBJ\n",
		.name_hash = object_name_hash(&p->identity),
		.data_bytes = p->data_bytes,
		.tables_offset = object_tables_offset(p->data_bytes),
		.records_bytes = p->records.n - p->fragments.n,
		.content_bytes = p->walk.content_bytes,
		.inodes = p->walk.nodes,
		.fragments = (uint32_t)(p->fragments.n / sizeof(struct object_fragment))};
	const XXH128_hash_t data = XXH3_128bits_digest(p->data_hash),
			    tables = XXH3_128bits(p->records.p, p->records.n);
	f.data_hash[0] = data.low64;
	f.data_hash[1] = data.high64;
	f.tables_hash[0] = tables.low64;
	f.tables_hash[1] = tables.high64;
	memcpy(f.setup, p->setup, sizeof f.setup);
	memcpy(f.nar_hash, p->nar_hash, sizeof f.nar_hash);
	f.footer_hash = object_footer_hash(&f);
	return f;
}

/*
 * The file is reused after small objects and may hold old bytes: the gap is not a hole, so the
 * zeros are written. Old bytes past the end only occur if this object is small too.
 */
static bool write_end(const struct packing *p, const struct object_footer *f)
{
	static const unsigned char zeros[OBJECT_PAGE];
	return fd_write_all(p->fd, zeros, f->tables_offset - f->data_bytes, (off_t)f->data_bytes) &&
		fd_write_all(p->fd, p->records.p, p->records.n, (off_t)f->tables_offset);
}

bool packing_finish(struct packing *p, struct diag *diag, struct object *out)
{
	buf_add(&p->records, p->fragments.p, p->fragments.n);
	const struct object_footer f = footer_of(p);
	buf_add(&p->records, &f, sizeof f);
	if (!write_gathered(p) || !write_end(p, &f))
		return write_failed(p, diag);
	*out = (struct object){.fd = p->fd, .footer = f};
	p->fd = -1;
	if (f.data_bytes < OBJECT_PAGE) {
		out->memory = require_memory(malloc(f.tables_offset + p->records.n));
		if (!fd_read_all(out->fd, out->memory, f.tables_offset, 0)) {
			object_close(out);
			return write_failed(p, diag);
		}
		memcpy(out->memory + f.tables_offset, p->records.p, p->records.n);
		out->small = out->memory;
		out->records = out->memory + f.tables_offset;
	} else {
		out->memory = (void *)p->records.p;
		out->records = out->memory;
		p->records = (struct buf){0};
	}
	out->fragments = (const void *)(out->records + f.records_bytes);
	return true;
}

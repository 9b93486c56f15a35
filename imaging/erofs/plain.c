/* SPDX-License-Identifier: MIT */
/*
 * plain: makes a disk without compression, in one pass over the closure and without a cache: the
 * store has the content already. Files are placed by plain_files, inodes by the linker.
 */
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/arena.h"
#include "imaging/cache/packing.h"
#include "imaging/disk/store_disk.h"
#include "imaging/disk/writer.h"
#include "imaging/erofs/extents.h"
#include "imaging/erofs/format.h"
#include "imaging/erofs/link.h"
#include "imaging/erofs/plain_files.h"

struct disk {
	struct diag *diag;
	const struct store_disk_request *request;
	struct store_disk_result *result;
	struct image_writer *writer;
	struct erofs_linker *linker;
	struct plain_files *files;
	uint64_t read_bytes, total_bytes; /* as progress reports them */
};

/* A store path that is being added. */
struct path {
	struct packing common;
	struct disk *disk;
	bool hashed;
	int64_t stored; /* bytes that the path adds to the image */
};

static void report_progress(void *context, uint64_t more_bytes)
{
	struct disk *disk = context;
	disk->read_bytes += more_bytes;
	if (disk->request->progress)
		disk->request->progress(disk->request->progress_context,
			disk->read_bytes < disk->total_bytes ? disk->read_bytes : disk->total_bytes,
			disk->total_bytes);
}

/* ---- one store path ---- */

static void add_record(
	struct packing *p, struct object_record record, struct object_file file, const char *name)
{
	const struct erofs_extents extents = {
		.layout = EROFS_PLAIN,
		.blocks = (uint32_t)((file.size + EROFS_BLOCK - 1) / EROFS_BLOCK),
	};
	record.count = sizeof extents / 4;
	packing_record_begin(p, record, &file, name);
	buf_add(&p->records, &extents, sizeof extents);
	packing_record_end(p);
}

static bool place(struct path *path, int fd, struct object_file *file)
{
	struct disk *disk = path->disk;
	bool is_new;
	switch (plain_files_add(disk->files, fd, file->size, &file->start, &is_new)) {
	case PLAIN_UNREADABLE:
		return store_walk_failed(&path->common.walk);
	case PLAIN_UNWRITABLE:
		return image_writer_failed(disk->writer, disk->diag);
	case PLAIN_PLACED:
		break;
	}
	if (is_new)
		path->stored +=
			(int64_t)((file->size + EROFS_BLOCK - 1) / EROFS_BLOCK * EROFS_BLOCK);
	return true;
}

static bool add_file(struct packing *p, struct diag *diag, int fd, struct object_record record,
	uint64_t size, const char *name)
{
	struct path *path = (struct path *)p;
	struct object_file file = {
		.size = size, .fragment = OBJECT_NO_FRAGMENT, .original = OBJECT_OWN_CONTENT};
	(void)diag;
	if (path->hashed && !store_walk_read(&p->walk, fd, size))
		return false;
	if (size && !place(path, fd, &file))
		return false;
	add_record(p, record, file, name);
	packing_progress(p, size);
	return true;
}

/*
 * The records as an object. The path's hash stands for the contents, so that the image's UUID is
 * the same whether they were read or not.
 */
static struct object object_of(const struct path *path, const char *nar_hash)
{
	struct object object = {.fd = -1,
		.footer = {.data_bytes = erofs_linker_reserve(path->disk->linker, 0),
			.records_bytes = path->common.records.n,
			.inodes = path->common.walk.nodes},
		.records = (const void *)path->common.records.p};
	const XXH128_hash_t data = XXH3_128bits(nar_hash, strlen(nar_hash)),
			    tables = XXH3_128bits(object.records, object.footer.records_bytes);
	object.footer.data_hash[0] = data.low64;
	object.footer.data_hash[1] = data.high64;
	object.footer.tables_hash[0] = tables.low64;
	object.footer.tables_hash[1] = tables.high64;
	return object;
}

static bool link_path(struct path *path, const struct store_path *store_path)
{
	struct disk *disk = path->disk;
	const struct object object =
		object_of(path, path->hashed ? path->common.nar_hash : store_path->nar_hash);
	if (!erofs_linker_add_placed(disk->linker, disk->diag, store_path->name, &object))
		return false;
	disk->result->content_bytes += packing_content_bytes(&path->common);
	disk->result->packed++;
	if (disk->request->stored)
		disk->request->stored[store_path - disk->request->closure->v] = path->stored;
	return true;
}

static bool add_path(struct disk *disk, const struct store_path *store_path)
{
	const struct store_disk_request *request = disk->request;
	const struct packing_request packing = {
		.path = store_path->rootfs ? store_path->rootfs : store_path->path,
		.whole = store_path->rootfs,
		.identity = {.name = store_path->name, .nar_hash = store_path->nar_hash},
		.fd = -1,
		.target = request->output,
		.progress = report_progress,
		.progress_context = disk};
	/* Without a known hash there is nothing to trust. */
	struct path path = {.disk = disk, .hashed = !request->trusted || !store_path->nar_hash};
	packing_init(&path.common, &packing);
	path.common.add_file = add_file;
	if (request->path_begins)
		request->path_begins(request->progress_context, store_path->path);
	const bool ok =
		packing_walk(&path.common, disk->diag, path.hashed) && link_path(&path, store_path);
	packing_release(&path.common);
	return ok;
}

/* ---- the disk ---- */

static bool finish(struct disk *disk)
{
	const struct store_disk_request *request = disk->request;
	if (!plain_files_finish(disk->files))
		return image_writer_failed(disk->writer, disk->diag);
	if (!erofs_linker_finish(
		    disk->linker, disk->diag, &disk->result->image_bytes, &disk->result->inodes))
		return false;
	const uint64_t unit = request->alignment ? request->alignment : EROFS_BLOCK;
	disk->result->image_bytes = (disk->result->image_bytes + unit - 1) & ~(unit - 1);
	disk->result->shared_bytes = plain_files_shared(disk->files);
	image_writer_end(disk->writer, disk->result->image_bytes);
	if (request->progress)
		request->progress(request->progress_context, disk->total_bytes, disk->total_bytes);
	return image_writer_finish(disk->writer, disk->diag);
}

static bool make(struct disk *disk)
{
	const struct closure *closure = disk->request->closure;
	disk->writer = image_writer_new(disk->diag, disk->request->output, disk->request->cached);
	if (!disk->writer)
		return false;
	disk->linker = erofs_linker_new(disk->writer, disk->request->time);
	disk->files = plain_files_new(disk->writer, disk->linker);
	for (size_t i = 0; i < closure->n; i++)
		if (!add_path(disk, &closure->v[i]))
			return false;
	return finish(disk);
}

bool store_disk_plain_erofs(struct diag *diag, const struct store_disk_request *request,
	struct store_disk_result *result)
{
	*result = (struct store_disk_result){0};
	struct disk disk = {.diag = diag, .request = request, .result = result};
	for (size_t i = 0; i < request->closure->n; i++)
		if (request->closure->v[i].nar_size > 0)
			disk.total_bytes += (uint64_t)request->closure->v[i].nar_size;
	const bool ok = make(&disk);
	plain_files_free(disk.files);
	erofs_linker_free(disk.linker);
	image_writer_free(disk.writer);
	return ok;
}

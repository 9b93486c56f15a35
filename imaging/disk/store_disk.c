/* SPDX-License-Identifier: MIT */
/*
 * store_disk: makes an image of a closure by linking objects. One thread reads trees, writes
 * objects and links; others compress, look objects up, and write the image. The queue holds the
 * paths between both ends: read or found in the cache, but not linked yet, because they are linked
 * in order.
 */
#include "imaging/disk/store_disk.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "imaging/cache/cache.h"
#include "imaging/cache/prefetch.h"
#include "imaging/disk/format.h"
#include "imaging/disk/writer.h"

enum { QUEUE_MAX = 128 /* bounds the number of open files */ };

struct item {
	const struct store_path *path;
	struct packing *packing;  /* NULL: `object` was in the cache */
	struct cache_entry entry; /* of the packing */
	struct object object;
};

struct job {
	struct diag *diag;
	const struct store_disk_request *request;
	struct store_disk_result *result;
	const struct image_format *format;
	struct image *image;
	struct image_writer *writer; /* NULL: objects are only packed */
	struct object_cache *cache;
	struct prefetch *prefetch;
	struct item queue[QUEUE_MAX];
	size_t first, n;
	/* of the paths read or found so far; of all paths with a known size */
	uint64_t read_bytes, total_bytes;
};

static void report_progress(void *context, uint64_t more_bytes)
{
	struct job *job = context;
	job->read_bytes += more_bytes;
	if (!job->request->progress)
		return;
	/*
	 * total_bytes counts NARs, which are larger than their files, so the end is reported
	 * separately.
	 */
	job->request->progress(job->request->progress_context,
		job->read_bytes < job->total_bytes ? job->read_bytes : job->total_bytes,
		job->total_bytes);
}

/* ---- linking end of the queue ---- */

static bool item_link(struct job *job, struct item *item)
{
	if (item->packing)
		packing_progress_end(item->packing);
	if (item->packing &&
		(!packing_finish(item->packing, job->diag, &item->object) ||
			!cache_publish(job->cache, job->diag, &item->entry, item->path->name,
				&item->object)))
		return false;
	if (job->writer &&
		!job->format->link(job->image, job->diag, item->path->name, &item->object))
		return false;
	job->result->content_bytes += item->object.footer.content_bytes;
	if (job->request->stored)
		job->request->stored[item->path - job->request->closure->v] =
			(int64_t)item->object.footer.data_bytes;
	if (item->packing)
		job->result->packed++;
	else
		job->result->reused++;
	return true;
}

static void item_free(struct job *job, struct item *item)
{
	if (item->packing) {
		cache_discard(job->cache, &item->entry);
		item->packing->free(item->packing);
	}
	object_close(&item->object);
}

/* Links the oldest item once it is complete; without `wait`, *settled may be false. */
static bool queue_settle_one(struct job *job, bool wait, bool *settled)
{
	struct item *item = &job->queue[job->first];
	*settled = false;
	while (item->packing && !item->packing->is_complete(item->packing)) {
		bool moved;
		if (!job->format->proceed(job->image, job->diag, wait, &moved))
			return false;
		if (!moved)
			return true;
	}
	if (!item_link(job, item))
		return false;
	item_free(job, item);
	job->first = (job->first + 1) % QUEUE_MAX;
	job->n--;
	*settled = true;
	return true;
}

/* Links complete items, and waits until at most `limit` items are left. */
static bool queue_settle(struct job *job, size_t limit)
{
	for (bool settled = true; job->n && settled;)
		if (!queue_settle_one(job, job->n > limit, &settled))
			return false;
	return true;
}

/* ---- reading end of the queue ---- */

static bool item_pack(struct job *job, struct item *item, const struct object_identity *identity)
{
	if (!cache_create(job->cache, job->diag, &item->entry))
		return false;
	const char *rootfs = item->path->rootfs;
	const struct packing_request request = {.path = rootfs ? rootfs : item->path->path,
		.whole = rootfs,
		.identity = *identity,
		.fd = item->entry.fd,
		.target = item->entry.where,
		.progress = report_progress,
		.progress_context = job};
	return job->format->pack(job->image, job->diag, &request, &item->packing);
}

static bool queue_add(struct job *job, const struct store_path *path)
{
	struct item *item = &job->queue[(job->first + job->n) % QUEUE_MAX];
	*item = (struct item){.path = path, .object.fd = -1, .entry.fd = -1};
	job->n++;
	const struct object_identity identity = cache_identity(job->cache, path);
	if (!prefetch_take(job->prefetch, &item->object)) {
		if (job->request->path_begins)
			job->request->path_begins(job->request->progress_context, path->path);
		if (!item_pack(job, item, &identity))
			return false;
	}
	if (!item->packing)
		report_progress(job, item->object.footer.content_bytes);
	return true;
}

static bool take_all(struct job *job)
{
	const struct closure *closure = job->request->closure;
	for (size_t i = 0; i < closure->n; i++)
		if (!queue_add(job, &closure->v[i]) || !queue_settle(job, QUEUE_MAX - 1))
			return false;
	return queue_settle(job, 0);
}

static void report_end(const struct job *job)
{
	if (job->request->progress)
		job->request->progress(
			job->request->progress_context, job->total_bytes, job->total_bytes);
}

static bool link_all(struct job *job)
{
	if (!take_all(job) ||
		!job->format->finish(
			job->image, job->diag, &job->result->image_bytes, &job->result->inodes))
		return false;
	image_writer_end(job->writer, job->result->image_bytes);
	report_end(job);
	return image_writer_finish(job->writer, job->diag);
}

static bool pack_all(struct job *job)
{
	if (!take_all(job))
		return false;
	report_end(job);
	return true;
}

static void job_free(struct job *job)
{
	/* Work that is under way uses the packings. */
	if (job->image)
		job->format->stop(job->image);
	for (size_t i = 0; i < job->n; i++)
		item_free(job, &job->queue[(job->first + i) % QUEUE_MAX]);
	if (job->image)
		job->format->free(job->image);
	image_writer_free(job->writer);
	prefetch_free(job->prefetch);
	cache_close(job->cache);
}

static struct cache_request cache_request_of(
	const struct store_disk_request *request, const char *settings)
{
	return (struct cache_request){.directory = request->cache_dir,
		.scratch = request->scratch_dir,
		.settings = settings,
		.sharing = request->sharing,
		.closure = request->closure};
}

static bool job_start(struct job *job, struct arena *arena)
{
	const char *settings;
	job->image = job->format->start(arena, job->diag, job->request, &settings);
	if (!job->image)
		return false;
	const struct cache_request request = cache_request_of(job->request, settings);
	job->cache = cache_open(job->diag, &request);
	if (job->cache)
		job->prefetch = prefetch_new(job->cache, job->request->closure,
			job->request->jobs ? job->request->jobs : 1);
	return job->cache;
}

static bool image_start(struct job *job)
{
	job->writer = image_writer_new(job->diag, job->request->output, job->request->cached);
	if (job->writer)
		job->format->open(job->image, job->writer);
	return job->writer;
}

static bool run_job(struct diag *diag, const struct store_disk_request *request, bool links,
	struct store_disk_result *result)
{
	*result = (struct store_disk_result){0};
	struct job job = {
		.diag = diag,
		.request = request,
		.result = result,
		.format = request->format,
	};
	for (size_t i = 0; i < request->closure->n; i++)
		job.total_bytes += request->closure->v[i].nar_size > 0
			? (uint64_t)request->closure->v[i].nar_size
			: 0;
	struct arena *arena = arena_new();
	bool ok = job_start(&job, arena) && (!links || image_start(&job));
	ok = ok && (links ? link_all : pack_all)(&job);
	job_free(&job);
	arena_free(arena);
	return ok;
}

bool store_disk_link(struct diag *diag, const struct store_disk_request *request,
	struct store_disk_result *result)
{
	return run_job(diag, request, true, result);
}

bool store_disk_pack(struct diag *diag, const struct store_disk_request *request,
	struct store_disk_result *result)
{
	return run_job(diag, request, false, result);
}

void store_disk_peek(const struct store_disk_request *request)
{
	const char *settings;
	struct arena *arena = arena_new();
	/* The build reports why the image cannot be made. */
	if ((request->cache_dir || request->sharing) &&
		request->format->start(arena, diag_new(arena), request, &settings)) {
		const struct cache_request wanted = cache_request_of(request, settings);
		cache_peek(&wanted, request->stored);
	}
	arena_free(arena);
}

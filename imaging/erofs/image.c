/* SPDX-License-Identifier: MIT */
/*
 * image: implements the operations of disk/format.h for erofs. We compress with LZ4 ourselves, and
 * run mkfs.erofs for other compressors.
 */
#include <lz4.h>
#include <lz4hc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/process.h"
#include "imaging/disk/format.h"
#include "imaging/erofs/link.h"
#include "imaging/erofs/mkfs.h"
#include "imaging/erofs/pack.h"
#include "imaging/erofs/pack_lz4.h"

enum { DEFAULT_CLUSTER = 4096, WATCH_MS = 200 };

struct image {
	struct arena *arena;
	const struct store_disk_request *request;
	unsigned jobs;
	struct erofs_linker *linker;

	/* if we compress */
	bool own;
	struct erofs_lz4_settings lz4;
	struct segment_pool *pool; /* started for the first path to pack */

	/* if mkfs.erofs compresses */
	struct strings command;
	unsigned serial;
	struct process **processes; /* at most `jobs` */
	struct packing **packings;  /* the packing that each process works for */
	size_t running;
};

/* ---- our own compression ---- */

static bool is_own(const struct store_disk_request *request)
{
	return strcmp(request->compression, "lz4") == 0 ||
		strcmp(request->compression, "lz4hc") == 0;
}

static bool start_own(struct image *image, struct diag *diag, const char **settings)
{
	const struct store_disk_request *request = image->request;
	if (!mkfs_erofs_check_settings(diag, request))
		return false;
	const bool high = strcmp(request->compression, "lz4hc") == 0;
	image->own = true;
	image->lz4 = (struct erofs_lz4_settings){.high = high,
		.level = !high           ? 0
			: request->level ? request->level
					 : LZ4HC_CLEVEL_DEFAULT,
		.cluster = request->block_size ? request->block_size : DEFAULT_CLUSTER,
		.tails = request->tail_packing};
	*settings = arena_printf(image->arena, "erofs-%d-%s-%d-%u-%s-own-%s", OBJECT_FORMAT,
		request->compression, image->lz4.level, image->lz4.cluster,
		request->tail_packing ? "tails" : "blocks", LZ4_versionString());
	return true;
}

static bool pack_own(struct image *image, struct diag *diag, const struct packing_request *request,
	struct packing **out)
{
	if (!image->pool)
		image->pool = segment_pool_new(image->jobs, &image->lz4);
	*out = erofs_lz4_packing_new(image->pool, &image->lz4, request);
	return erofs_lz4_packing_walk(*out, diag);
}

static bool proceed_own(struct image *image, struct diag *diag, bool wait, bool *moved)
{
	struct pooled_segment *segment = segment_retire(image->pool, wait);
	*moved = segment;
	return !segment || erofs_lz4_packing_store(image->pool, diag, segment);
}

/* ---- mkfs.erofs ---- */

static bool start_mkfs(struct image *image, struct diag *diag, const char **settings)
{
	struct arena *arena = image->arena;
	const struct store_disk_request *request = image->request;
	struct mkfs_erofs tool;
	const char *libraries;
	if (!mkfs_erofs_find(arena, diag, &tool) ||
		!mkfs_erofs_check(arena, diag, &tool, request) ||
		!(libraries = mkfs_erofs_libraries(arena, diag)))
		return false;
	image->processes = arena_alloc(arena, image->jobs * sizeof *image->processes);
	image->packings = arena_alloc(arena, image->jobs * sizeof *image->packings);
	mkfs_erofs_command(arena, &tool, request, 1, &image->command);
	/* other owners need extended inodes, which leave less room for tails */
	vec_push(arena, &image->command, "--all-root");
	*settings = arena_printf(arena, "erofs-%d-%s-%d-%u-%s-%s-%s", OBJECT_FORMAT,
		request->compression, request->level,
		request->block_size ? request->block_size : DEFAULT_CLUSTER,
		request->tail_packing ? "tails" : "blocks", tool.version, libraries);
	return true;
}

/* Returns the index of a process that has ended, else `running`. */
static size_t watch(struct image *image, bool wait)
{
	for (;;) {
		const size_t i =
			process_poll(image->processes, image->running, wait ? WATCH_MS : 0);
		if (i < image->running || !image->running || !wait)
			return i;
		for (size_t k = 0; k < image->running; k++)
			erofs_packing_watch(image->packings[k], image->processes[k]);
	}
}

static bool proceed_mkfs(struct image *image, struct diag *diag, bool wait, bool *moved)
{
	const size_t i = watch(image, wait);
	*moved = i < image->running;
	if (!*moved)
		return true;
	struct process *process = image->processes[i];
	struct packing *packing = image->packings[i];
	image->running--;
	image->processes[i] = image->processes[image->running];
	image->packings[i] = image->packings[image->running];
	return erofs_packing_take(packing, diag, process);
}

static bool pack_mkfs(struct image *image, struct diag *diag, const struct packing_request *request,
	struct packing **out)
{
	struct process *process;
	bool moved;
	*out = erofs_packing_new(request);
	if (image->running == image->jobs && !proceed_mkfs(image, diag, true, &moved))
		return false;
	const char *scratch = arena_printf(image->arena, "%s/erofs-%ld-%u",
		image->request->scratch_dir, (long)getpid(), image->serial++);
	if (!erofs_packing_start(*out, diag, &image->command, scratch, &process))
		return false;
	if (process) {
		image->processes[image->running] = process;
		image->packings[image->running++] = *out;
	}
	return true;
}

/* ---- both ---- */

static struct image *start(struct arena *arena, struct diag *diag,
	const struct store_disk_request *request, const char **settings)
{
	struct image *image = arena_alloc(arena, sizeof *image);
	image->arena = arena;
	image->request = request;
	image->jobs = request->jobs ? request->jobs : 1;
	const bool ok = (is_own(request) ? start_own : start_mkfs)(image, diag, settings);
	return ok ? image : NULL;
}

static void open_output(struct image *image, struct image_writer *writer)
{
	image->linker = erofs_linker_new(writer, image->request->time);
}

static bool pack(struct image *image, struct diag *diag, const struct packing_request *request,
	struct packing **out)
{
	return (image->own ? pack_own : pack_mkfs)(image, diag, request, out);
}

static bool proceed(struct image *image, struct diag *diag, bool wait, bool *moved)
{
	return (image->own ? proceed_own : proceed_mkfs)(image, diag, wait, moved);
}

static bool link_object(
	struct image *image, struct diag *diag, const char *name, const struct object *object)
{
	return erofs_linker_add(image->linker, diag, name, object);
}

static bool finish(struct image *image, struct diag *diag, uint64_t *image_bytes, uint64_t *inodes)
{
	return erofs_linker_finish(image->linker, diag, image_bytes, inodes);
}

static void stop(struct image *image)
{
	while (image->running)
		process_kill(image->processes[--image->running]);
	segment_pool_free(image->pool);
	image->pool = NULL;
}

static void free_image(struct image *image)
{
	erofs_linker_free(image->linker);
}

const struct image_format erofs_format = {
	.start = start,
	.open = open_output,
	.pack = pack,
	.proceed = proceed,
	.link = link_object,
	.finish = finish,
	.stop = stop,
	.free = free_image,
};

/* SPDX-License-Identifier: MIT */
/* image: implements the operations of disk/format.h for erofs. */
#include <stdlib.h>
#include <unistd.h>

#include "base/process.h"
#include "imaging/disk/format.h"
#include "imaging/erofs/link.h"
#include "imaging/erofs/mkfs.h"
#include "imaging/erofs/pack.h"

enum { DEFAULT_CLUSTER = 4096, WATCH_MS = 200 };

struct image {
	struct arena *arena;
	const struct store_disk_request *request;
	struct strings command;
	unsigned jobs, serial;
	struct process **processes; /* at most `jobs` */
	struct packing **packings;  /* the packing that each process works for */
	size_t running;
	struct erofs_linker *linker;
};

static struct image *start(struct arena *arena, struct diag *diag,
	const struct store_disk_request *request, const char **settings)
{
	struct mkfs_erofs tool;
	const char *libraries;
	if (!mkfs_erofs_find(arena, diag, &tool) ||
		!mkfs_erofs_check(arena, diag, &tool, request) ||
		!(libraries = mkfs_erofs_libraries(arena, diag)))
		return NULL;
	struct image *image = arena_alloc(arena, sizeof *image);
	image->arena = arena;
	image->request = request;
	image->jobs = request->jobs ? request->jobs : 1;
	image->processes = arena_alloc(arena, image->jobs * sizeof *image->processes);
	image->packings = arena_alloc(arena, image->jobs * sizeof *image->packings);
	mkfs_erofs_command(arena, &tool, request, 1, &image->command);
	/* other owners need extended inodes, which leave less room for tails */
	vec_push(arena, &image->command, "--all-root");
	*settings = arena_printf(arena, "erofs-%d-%s-%d-%u-%s-%s-%s", OBJECT_FORMAT,
		request->compression, request->level,
		request->block_size ? request->block_size : DEFAULT_CLUSTER,
		request->tail_packing ? "tails" : "blocks", tool.version, libraries);
	return image;
}

static void open_output(struct image *image, struct image_writer *writer)
{
	image->linker = erofs_linker_new(writer, image->request->time);
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

static bool proceed(struct image *image, struct diag *diag, bool wait, bool *moved)
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

static bool pack(struct image *image, struct diag *diag, const struct packing_request *request,
	struct packing **out)
{
	struct process *process;
	bool moved;
	*out = erofs_packing_new(request);
	if (image->running == image->jobs && !proceed(image, diag, true, &moved))
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
	.is_complete = erofs_packing_is_complete,
	.packing_free = erofs_packing_free,
	.link = link_object,
	.finish = finish,
	.stop = stop,
	.free = free_image,
};

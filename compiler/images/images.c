/* SPDX-License-Identifier: MIT */
#include "compiler/images/images.h"

#include <errno.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "compiler/images/disk_image.h"
#include "compiler/images/nix_images.h"
#include "compiler/storage/storage.h"
#include "compiler/storage/volume.h"
#include "imaging/initrd/stage1.h"
#include "imaging/kernel/vmlinux.h"
#include "imaging/volume/ext.h"
#include "imaging/volume/sparse_archive.h"

struct maker {
	struct arena *arena;
	struct diag *diag;
	const struct plan *plan;
	const struct image_settings *settings;
	const char *runner;
	const char *scratch; /* a directory in the runner, deleted before the runner is published */
	struct image_results *results;
};

static const char *in_runner(const struct maker *maker, const char *name)
{
	return path_join(maker->arena, maker->runner, name);
}

/* What comes back from a list that the host could not read is a mistake of ours. */
static bool write_list(const struct maker *maker)
{
	const struct link_list list = disk_image_list(maker->plan);
	struct link_list again;
	const char *path = in_runner(maker, RUNNER_LINK_LIST),
		   *text = link_list_text(maker->arena, &list);
	return link_list_parse(maker->arena, maker->diag, path, text, strlen(text), &again) &&
		file_write(maker->diag, path, text, strlen(text), 0444);
}

static bool make_store_disk(const struct maker *maker)
{
	const char *output = in_runner(maker, storage_store_disk(maker->plan->vm));
	return disk_image_make(maker->arena, maker->diag, maker->plan, maker->settings,
		maker->scratch, output, maker->results);
}

static bool make_volume(const struct maker *maker, const struct created_volume *created)
{
	const char *image = path_join(maker->arena, maker->scratch, "volume");
	const struct ext_request request = {
		.path = image,
		.size_bytes = created->volume->size_mib << 20,
		.label = created->volume->label,
		.seed = volume_seed(maker->arena, maker->plan->vm, created->volume),
		.time = maker->plan->time,
		.type = file_system_created(created->volume->fs_type)->ext,
	};
	bool ok = ext_create(maker->diag, &request) &&
		sparse_archive_write(maker->diag, image, VOLUME_MEMBER,
			in_runner(maker, created->archive), maker->plan->time);
	unlink(image);
	return ok;
}

static bool make_volumes(const struct maker *maker)
{
	bool any = false;
	for (size_t i = 0; i < maker->plan->created.n; i++)
		any |= maker->plan->created.v[i].archive != NULL;
	if (any && !directory_make(maker->diag, in_runner(maker, RUNNER_VOLUMES), 0755))
		return false;
	for (size_t i = 0; i < maker->plan->created.n; i++)
		if (maker->plan->created.v[i].archive &&
			!make_volume(maker, &maker->plan->created.v[i]))
			return false;
	return true;
}

/* Completes the steps with the hash tree of the store disk, which must exist. */
static struct stage1_steps final_steps(const struct maker *maker)
{
	const struct stage1_steps *planned = &maker->plan->steps;
	const struct verity *tree = &maker->results->store_disk.verity;
	struct stage1_steps steps = {0};
	for (size_t i = 0; i < planned->n; i++) {
		struct stage1_step step = planned->v[i];
		if (step.kind == STAGE1_VERITY) {
			step.verity.blocks = tree->data_blocks;
			memcpy(step.verity.root, tree->root, sizeof step.verity.root);
		}
		vec_push(maker->arena, &steps, step);
	}
	return steps;
}

static struct stage1_contents final_contents(const struct maker *maker)
{
	const struct stage1_contents *planned = &maker->plan->contents;
	struct stage1_contents contents = {0};
	for (size_t i = 0; i < planned->n; i++)
		vec_push(maker->arena, &contents,
			(struct stage1_content){planned->v[i].file,
				path_join(maker->arena, maker->scratch, planned->v[i].source)});
	return contents;
}

/*
 * Makes `place` in the runner. VMs of one host share the file if `source`, on which it depends,
 * has the same contents for them. `memo` remembers the digest of `source`; NULL if no other VM has
 * that source.
 */
static bool make_shared(const struct maker *maker, const char *place, const char *source,
	struct shared *memo, bool (*make)(void *context, const char *path))
{
	struct maker context = *maker;
	unsigned char digest[SHA256_DIGEST_LENGTH];
	struct shared_file file = {.directory = maker->settings->common,
		.target = in_runner(maker, place),
		.make = make,
		.context = &context};
	if (file.directory && !shared_digest(memo, maker->diag, source, digest))
		return false;
	if (file.directory)
		file.name = arena_printf(maker->arena, "%s-%s", path_base(place),
			arena_hex(maker->arena, digest, sizeof digest));
	return shared_file(maker->plan->shared, maker->diag, &file);
}

static const char *stage1_scratch(const struct maker *maker)
{
	return path_join(maker->arena, maker->scratch, "initrd");
}

/* Renames the initramfs, so the scratch directory must be on the same file system as `path`. */
static bool move_stage1(void *context, const char *path)
{
	const struct maker *maker = context;
	const char *made = stage1_scratch(maker);
	return rename(made, path) == 0 ||
		diag_error(maker->diag, STATUS_FAILED, NULL, "unwritable-file",
			"cannot rename %s to %s: %s", made, path, strerror(errno));
}

static bool make_stage1(const struct maker *maker)
{
	const struct plan *plan = maker->plan;
	const struct stage1_request request = {
		.arch = plan->guest.arch,
		.output = stage1_scratch(maker),
		.init = plan->system.init,
		.nixos = plan->system.nixos,
		.root_options = "mode=0755",
		.modules = &plan->modules,
		.steps = final_steps(maker),
		.contents = final_contents(maker),
		.time = plan->time,
		.memo = shared_gzip(plan->shared),
	};
	struct stage1_result result;
	if (!nix_images_make(maker->arena, maker->diag, plan, maker->scratch))
		return false;
	if (!stage1_write(maker->arena, maker->diag, &request, &result))
		return false;
	maker->results->initrd_bytes = result.bytes;
	return make_shared(maker, RUNNER_INITRD, request.output, NULL, move_stage1);
}

static bool copy_initrd(void *context, const char *path)
{
	const struct maker *maker = context;
	return file_copy(maker->diag, maker->plan->system.initrd, path, 0444);
}

static bool copy_kernel(void *context, const char *path)
{
	const struct maker *maker = context;
	return file_copy(maker->diag, maker->plan->system.kernel.path, path, 0444);
}

static bool unpack_kernel(void *context, const char *path)
{
	const struct maker *maker = context;
	return kernel_unpack(maker->diag, maker->plan->system.kernel.path, path);
}

static bool make_boot_files(const struct maker *maker)
{
	const struct plan *plan = maker->plan;
	const char *kernel = plan->system.kernel.path, *initrd = plan->system.initrd;
	struct shared *memo = plan->shared;
	if (plan->copies_kernel && !make_shared(maker, RUNNER_KERNEL, kernel, memo, copy_kernel))
		return false;
	if (plan->unpacks_kernel &&
		!make_shared(maker, RUNNER_VMLINUX, kernel, memo, unpack_kernel))
		return false;
	if (plan->copies_initrd && !make_shared(maker, RUNNER_INITRD, initrd, memo, copy_initrd))
		return false;
	return !plan->own_stage1 || make_stage1(maker);
}

static bool make_others(const struct maker *maker)
{
	return make_boot_files(maker) && make_volumes(maker);
}

/* ---- store disk and other files in parallel ---- */

struct side {
	struct maker maker;
	bool ok;
};

static void *make_side(void *context)
{
	struct side *side = context;
	side->ok = make_others(&side->maker);
	return NULL;
}

/* A thread needs its own arena and diag. */
static bool make_beside_disk(const struct maker *maker)
{
	struct side side = {.maker = *maker};
	pthread_t thread;
	side.maker.arena = arena_new();
	side.maker.diag = diag_new(side.maker.arena);
	const bool started = pthread_create(&thread, NULL, make_side, &side) == 0;
	bool ok = make_store_disk(maker);
	if (started)
		pthread_join(thread, NULL);
	else if (ok)
		make_side(&side);
	if (ok) /* otherwise a full disk would be reported twice */
		diag_take(maker->diag, side.maker.diag);
	arena_free(side.maker.arena);
	return ok && side.ok;
}

static bool make_all(const struct maker *maker)
{
	const struct vm *vm = maker->plan->vm;
	if (storage_disk_on_host(vm))
		return write_list(maker) && make_others(maker);
	if (!vm->store_on_disk)
		return make_others(maker);
	/*
	 * With dm-verity the initramfs contains the root hash of the store disk; an existing disk
	 * is only linked, which takes no time.
	 */
	if (vm->store_disk.verity || maker->settings->store_disk)
		return make_store_disk(maker) && make_others(maker);
	return make_beside_disk(maker);
}

bool images_make(struct arena *arena, struct diag *diag, const struct plan *plan,
	const struct image_settings *settings, const char *runner, struct image_results *results)
{
	struct maker maker = {
		arena, diag, plan, settings, runner, path_join(arena, runner, "scratch"), results};
	*results = (struct image_results){.stored = disk_image_nothing_known(arena, plan)};
	bool ok = directory_make(diag, maker.scratch, 0700) && make_all(&maker);
	return path_remove(diag, maker.scratch) && ok;
}

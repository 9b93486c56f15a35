/* SPDX-License-Identifier: MIT */
#include "compiler/images.h"

#include <errno.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compiler/base/buf.h"
#include "compiler/base/file.h"
#include "compiler/nix_images.h"
#include "compiler/storage.h"
#include "compiler/volume.h"
#include "imaging/ext.h"
#include "imaging/kernel_unpack.h"
#include "imaging/sparse_archive.h"
#include "imaging/stage1.h"
#include "imaging/store_root.h"

enum { SIZES_BYTES = 16 << 20 };

struct maker {
	struct arena *arena;
	struct diag *diag;
	const struct plan *plan;
	const struct image_settings *settings;
	const char *runner;
	const char *scratch; /* a directory in the runner that is gone when it is published */
	struct image_results *results;
};

static const char *hex(struct arena *arena, const unsigned char *bytes, size_t n)
{
	char *text = arena_alloc(arena, 2 * n + 1);
	for (size_t i = 0; i < n; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
	return text;
}

static const char *in_runner(const struct maker *maker, const char *name)
{
	return path_join(maker->arena, maker->runner, name);
}

static const struct {
	const char *name;
	bool (*make)(struct diag *diag, const struct store_disk_request *request, struct store_disk_result *result);
} engines[] = {{"linked", store_disk_link}, {"mksquashfs", store_disk_mksquashfs}, {"mkfs.erofs", store_disk_mkfs_erofs}};

static int64_t *nothing_known(struct arena *arena, const struct plan *plan)
{
	int64_t *stored = arena_alloc(arena, (plan->closure.n + 1) * sizeof *stored);
	for (size_t i = 0; i < plan->closure.n; i++)
		stored[i] = -1;
	return stored;
}

/* What the description decides of it. */
static struct store_disk_request described_disk(const struct plan *plan, const char *cache_dir, int64_t *stored)
{
	const struct vm *vm = plan->vm;
	return (struct store_disk_request){
		.type = strcmp(vm->store_disk.type, "erofs") == 0 ? STORE_DISK_EROFS : STORE_DISK_SQUASHFS,
		.closure = &plan->closure,
		.cache_dir = cache_dir,
		.compression = vm->store_disk.compression,
		.level = (int)vm->store_disk.level,
		.compression_pos = vm->store_disk.compression_where,
		.block_size = (uint32_t)vm->store_disk.block_size,
		.tail_packing = vm->store_disk.tail_packing,
		.features = vm->store_disk.mkfs_features.v,
		.nfeatures = vm->store_disk.mkfs_features.n,
		.time = plan->time,
		.stored = stored,
	};
}

/* A disk without its tree is none. */
static bool add_tree(struct diag *diag, const struct store_disk_request *request, struct store_disk_result *result)
{
	if (!verity_append(diag, request->output, request->jobs, &result->verity)) {
		unlink(request->output);
		return false;
	}
	result->image_bytes = result->verity.data_blocks * VERITY_BLOCK_BYTES + verity_tree_bytes(&result->verity);
	return true;
}

static bool make_disk(struct diag *diag, const struct plan *plan, const struct image_settings *settings, const char *scratch, const char *output,
		      int64_t *stored, struct store_disk_result *result)
{
	struct store_disk_request request = described_disk(plan, settings->cache_dir, stored);
	request.output = output;
	request.sharing = settings->sharing;
	request.scratch_dir = scratch;
	request.jobs = settings->jobs;
	request.cached = settings->no_sync || plan->vm->store_disk.verity;
	request.progress = settings->progress;
	request.progress_context = settings->progress_context;
	for (size_t i = 0; i < countof(engines); i++)
		if (strcmp(plan->vm->store_disk.engine, engines[i].name) == 0)
			return engines[i].make(diag, &request, result) && (!plan->vm->store_disk.verity || add_tree(diag, &request, result));
	return false; /* check_store_disk knows the same names */
}

int64_t *images_peek(struct arena *arena, const struct plan *plan, const char *cache_dir, const struct cache_sharing *sharing)
{
	int64_t *stored = nothing_known(arena, plan);
	struct store_disk_request request = described_disk(plan, cache_dir, stored);
	request.sharing = sharing;
	if (plan->vm->store_on_disk && strcmp(plan->vm->store_disk.engine, "linked") == 0)
		store_disk_peek(&request);
	return stored;
}

/* ---- a disk for several VMs ---- */

/*
 * What is known of the disk: the blocks of its data and the root hash of their tree ("0 -" without one), and of each path of the closure what it
 * takes, a line each.
 */
const char *images_store_disk_sizes(struct arena *arena, const char *disk)
{
	return arena_printf(arena, "%s.sizes", disk);
}

bool images_make_store_disk(struct arena *arena, struct diag *diag, const struct plan *plan, const struct image_settings *settings, const char *scratch,
			    const char *output, struct store_disk_result *result)
{
	int64_t *stored = nothing_known(arena, plan);
	BUF_CLEANUP struct buf sizes = {0};
	if (!make_disk(diag, plan, settings, scratch, output, stored, result))
		return false;
	const struct verity *verity = &result->verity;
	buf_printf(&sizes, "%llu %s\n", (unsigned long long)verity->data_blocks, verity->data_blocks ? verity_root_text(arena, verity) : "-");
	for (size_t i = 0; i < plan->closure.n; i++)
		buf_printf(&sizes, "%lld\n", (long long)stored[i]);
	return file_write(diag, images_store_disk_sizes(arena, output), buf_text(&sizes), sizes.n, 0444);
}

/* Where it ends in the text; NULL when it is not what this disk must have. */
static const char *read_verity(const struct maker *maker, const char *text, struct verity *verity)
{
	char *at;
	verity->data_blocks = strtoull(text, &at, 10);
	const char *root = *at == ' ' ? at + 1 : at, *end = strchrnul(root, '\n');
	const bool has_tree = verity->data_blocks && verity_root_parse(arena_strndup(maker->arena, root, (size_t)(end - root)), verity);
	return has_tree == maker->plan->vm->store_disk.verity ? end : NULL;
}

static bool read_sizes(const struct maker *maker, const char *disk)
{
	struct bytes text;
	if (!file_read(maker->arena, maker->diag, images_store_disk_sizes(maker->arena, disk), SIZES_BYTES, &text))
		return false;
	const char *at = read_verity(maker, text.p, &maker->results->store_disk.verity);
	if (!at)
		return diag_error(maker->diag, STATUS_FAILED, NULL, "unreadable-file", "%s does not say what the hash tree of its disk is",
				  images_store_disk_sizes(maker->arena, disk));
	for (size_t i = 0; i < maker->plan->closure.n; i++) {
		char *end;
		maker->results->stored[i] = strtoll(at, &end, 10);
		at = end;
	}
	return true;
}

static bool take_disk(const struct maker *maker, const char *disk, const char *output)
{
	return read_sizes(maker, disk) && (link(disk, output) == 0 || file_copy(maker->diag, disk, output, 0444));
}

const char *images_store_disk_key(struct arena *arena, const struct plan *plan)
{
	const struct vm *vm = plan->vm;
	BUF_CLEANUP struct buf text = {0};
	buf_printf(&text, "%s %s %s %s %lld %lld %d %d %u\n", MVM_VERSION, vm->store_disk.type, vm->store_disk.engine, vm->store_disk.compression,
		   (long long)vm->store_disk.level, (long long)vm->store_disk.block_size, vm->store_disk.tail_packing, vm->store_disk.verity,
		   (unsigned)plan->time);
	for (size_t i = 0; i < vm->store_disk.mkfs_features.n; i++)
		buf_printf(&text, "%s\n", vm->store_disk.mkfs_features.v[i]);
	for (size_t i = 0; i < plan->closure.n; i++)
		buf_printf(&text, "%s %s\n", plan->closure.v[i].path, plan->closure.v[i].nar_hash ? plan->closure.v[i].nar_hash : "");
	unsigned char digest[SHA256_DIGEST_LENGTH];
	SHA256((const unsigned char *)buf_text(&text), text.n, digest);
	return hex(arena, digest, sizeof digest);
}

static bool make_store_disk(const struct maker *maker)
{
	const char *output = in_runner(maker, storage_store_disk(maker->plan->vm));
	struct stat st;
	if (maker->settings->store_disk ? !take_disk(maker, maker->settings->store_disk, output)
					: !make_disk(maker->diag, maker->plan, maker->settings, maker->scratch, output, maker->results->stored,
						     &maker->results->store_disk))
		return false;
	if (stat(output, &st) != 0)
		return diag_error(maker->diag, STATUS_FAILED, NULL, "unreadable-file", "cannot read %s: %s", output, strerror(errno));
	maker->results->disk_bytes = (uint64_t)st.st_size;
	return true;
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
		.type = volume_type_find(created->volume->fs_type)->ext,
	};
	bool ok = ext_create(maker->diag, &request) &&
		  sparse_archive_write(maker->diag, image, VOLUME_MEMBER, in_runner(maker, created->archive), maker->plan->time);
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
		if (maker->plan->created.v[i].archive && !make_volume(maker, &maker->plan->created.v[i]))
			return false;
	return true;
}

/* The upper layer's root is the store's: as Nix wants it. */
static void add_overlay_directories(const struct maker *maker, struct stage1_steps *steps)
{
	const struct store_overlay *overlay = &maker->plan->overlay;
	const struct stage1_directory upper = {overlay->upper, STORE_ROOT_MODE, 0, STORE_ROOT_GID}, work = {overlay->work, 0755, 0, 0};
	vec_push(maker->arena, steps, (struct stage1_step){.kind = STAGE1_DIRECTORY, .directory = upper});
	vec_push(maker->arena, steps, (struct stage1_step){.kind = STAGE1_DIRECTORY, .directory = work});
}

/* The store disk is the first, and was made before. */
static void add_verity(const struct maker *maker, struct stage1_steps *steps)
{
	const struct plan *plan = maker->plan;
	struct stage1_verity verity = {.name = STORE_MAPPED, .verity = maker->results->store_disk.verity};
	verity.source_kind = storage_disk_source(maker->arena, plan->backend, &plan->guest, 0, &verity.source);
	vec_push(maker->arena, steps, (struct stage1_step){.kind = STAGE1_VERITY, .verity = verity});
}

/* What the first stage does, in its order. */
static bool make_steps(const struct maker *maker, struct stage1_steps *steps)
{
	const struct plan *plan = maker->plan;
	if (plan->vm->store_disk.verity)
		add_verity(maker, steps);
	size_t below = plan->mounts.n - plan->writable_store;
	for (size_t i = 0; i < below; i++)
		vec_push(maker->arena, steps, (struct stage1_step){.kind = STAGE1_MOUNT, .mount = plan->mounts.v[i]});
	if (plan->writable_store)
		add_overlay_directories(maker, steps);
	if (!nix_images_before_store(maker->arena, maker->diag, plan, maker->scratch, steps))
		return false;
	if (plan->writable_store)
		vec_push(maker->arena, steps, (struct stage1_step){.kind = STAGE1_MOUNT, .mount = plan->mounts.v[below]});
	return nix_images_after_store(maker->arena, maker->diag, plan, maker->scratch, steps);
}

static bool make_stage1(const struct maker *maker)
{
	const struct plan *plan = maker->plan;
	struct stage1_steps steps = {0};
	if (!make_steps(maker, &steps))
		return false;
	const struct stage1_request request = {
		.arch = plan->guest.arch,
		.output = in_runner(maker, RUNNER_INITRD),
		.init = plan->system.init,
		.nixos = plan->system.nixos,
		.root_options = "mode=0755",
		.modules = &plan->modules,
		.steps = steps,
		.time = plan->time,
		.memo = shared_gzip(plan->shared),
	};
	struct stage1_result result;
	if (!stage1_write(maker->arena, maker->diag, &request, &result))
		return false;
	maker->results->initrd_bytes = result.bytes;
	return true;
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

/* By its content: VMs may have different kernels. */
static bool make_kernel(const struct maker *maker, const char *place, bool (*make)(void *context, const char *path))
{
	struct maker context = *maker;
	unsigned char digest[SHA256_DIGEST_LENGTH];
	struct shared_file file = {.directory = maker->settings->common, .target = in_runner(maker, place), .make = make, .context = &context};
	if (file.directory && !shared_digest(maker->plan->shared, maker->diag, maker->plan->system.kernel.path, digest))
		return false;
	if (file.directory)
		file.name = arena_printf(maker->arena, "%s-%s", path_base(place), hex(maker->arena, digest, sizeof digest));
	return shared_file(maker->plan->shared, maker->diag, &file);
}

static bool make_boot_files(const struct maker *maker)
{
	const struct plan *plan = maker->plan;
	if (plan->copies_kernel && !make_kernel(maker, RUNNER_KERNEL, copy_kernel))
		return false;
	if (plan->unpacks_kernel && !make_kernel(maker, RUNNER_VMLINUX, unpack_kernel))
		return false;
	if (plan->copies_initrd && !file_copy(maker->diag, plan->system.initrd, in_runner(maker, RUNNER_INITRD), 0444))
		return false;
	return !plan->own_stage1 || make_stage1(maker);
}

static bool make_others(const struct maker *maker)
{
	return make_boot_files(maker) && make_volumes(maker);
}

/* ---- both at once ---- */

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

/* Arenas and diagnostics are one thread's alone. */
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
	if (ok) /* or else a full disk would be told twice */
		diag_take(maker->diag, side.maker.diag);
	arena_free(side.maker.arena);
	return ok && side.ok;
}

static bool make_all(const struct maker *maker)
{
	const struct vm *vm = maker->plan->vm;
	if (!vm->store_on_disk)
		return make_others(maker);
	/* The initramfs has the root hash of the store disk; one that is there already is only linked. */
	if (vm->store_disk.verity || maker->settings->store_disk)
		return make_store_disk(maker) && make_others(maker);
	return make_beside_disk(maker);
}

bool images_make(struct arena *arena, struct diag *diag, const struct plan *plan, const struct image_settings *settings, const char *runner,
		 struct image_results *results)
{
	struct maker maker = {arena, diag, plan, settings, runner, path_join(arena, runner, "scratch"), results};
	*results = (struct image_results){.stored = nothing_known(arena, plan)};
	bool ok = directory_make(diag, maker.scratch, 0700) && make_all(&maker);
	return tree_remove(maker.scratch) && ok;
}

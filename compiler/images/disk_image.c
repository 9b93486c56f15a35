/* SPDX-License-Identifier: MIT */
#include "compiler/images/disk_image.h"

#include <errno.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "compiler/storage/store_formats.h"

enum {
	SIZES_BYTES = 16 << 20,
	/* QEMU and Cloud Hypervisor (vmm/src/device_manager.rs) want multiples of a huge page. */
	PMEM_BYTES = 2 << 20,
};

int64_t *disk_image_nothing_known(struct arena *arena, const struct plan *plan)
{
	int64_t *stored = arena_alloc(arena, (plan->closure.n + 1) * sizeof *stored);
	for (size_t i = 0; i < plan->closure.n; i++)
		stored[i] = -1;
	return stored;
}

static const struct store_way *disk_way(const struct plan *plan)
{
	const struct vm *vm = plan->vm;
	return store_way_find(
		vm->store_disk.type, vm->store_disk.engine, vm->store_disk.compression);
}

struct link_list disk_image_list(const struct plan *plan)
{
	const struct vm *vm = plan->vm;
	return (struct link_list){
		.type = vm->store_disk.type,
		.compression = vm->store_disk.compression,
		.level = vm->store_disk.level,
		.block_size = vm->store_disk.block_size,
		.tail_packing = vm->store_disk.tail_packing,
		.verify = vm->store_disk.verify,
		.alignment = vm->store_disk.device == STORE_PMEM ? PMEM_BYTES : 0,
		.time = plan->time,
		.closure = plan->closure,
	};
}

/* The request as far as the description determines it. */
static struct store_disk_request described_disk(
	const struct plan *plan, const char *cache_dir, int64_t *stored)
{
	const struct vm *vm = plan->vm;
	const struct link_list list = disk_image_list(plan);
	struct store_disk_request request = link_list_request(&list);
	request.closure = &plan->closure;
	request.cache_dir = cache_dir;
	request.compression_pos = vm->store_disk.compression_where;
	request.features = vm->store_disk.mkfs_features.v;
	request.nfeatures = vm->store_disk.mkfs_features.n;
	request.stored = stored;
	return request;
}

static void fill_settings(struct store_disk_request *request, const struct image_settings *settings,
	const char *scratch)
{
	request->sharing = settings->sharing;
	request->scratch_dir = scratch;
	request->jobs = settings->jobs;
	request->progress = settings->progress;
	request->path_begins = settings->path_begins;
	request->progress_context = settings->progress_context;
}

/* Deletes the disk if its hash tree cannot be appended. */
static bool add_tree(struct diag *diag, const struct store_disk_request *request,
	struct store_disk_result *result)
{
	if (!verity_append(diag, request->output, request->jobs, &result->verity)) {
		unlink(request->output);
		return false;
	}
	result->image_bytes = result->verity.data_blocks * VERITY_BLOCK_BYTES +
		verity_tree_bytes(&result->verity);
	return true;
}

mode_t disk_image_mode(const struct plan *plan)
{
	return plan->vm->rootfs ? 0400 : 0444;
}

static bool move_disk(
	struct diag *diag, const struct plan *plan, const char *made, const char *output)
{
	return strcmp(made, output) == 0 ||
		(chmod(made, disk_image_mode(plan)) == 0 && rename(made, output) == 0) ||
		diag_error(diag, STATUS_FAILED, NULL, "unwritable-file",
			"cannot rename %s to %s: %s", made, output, strerror(errno));
}

/* Only the builder may enter the scratch directory, where a secret disk gets its mode. */
static bool make_disk(struct arena *arena, struct diag *diag, const struct plan *plan,
	const struct image_settings *settings, const char *scratch, const char *output,
	int64_t *stored, struct store_disk_result *result)
{
	struct store_disk_request request = described_disk(plan, settings->cache_dir, stored);
	request.output = plan->vm->rootfs ? path_join(arena, scratch, "store-disk") : output;
	request.cached = settings->no_sync || plan->vm->store_disk.verity;
	fill_settings(&request, settings, scratch);
	const struct store_way *way = disk_way(plan);
	return way->make(diag, &request, result) &&
		(!plan->vm->store_disk.verity || add_tree(diag, &request, result)) &&
		move_disk(diag, plan, request.output, output);
}

bool disk_image_pack(struct diag *diag, const struct plan *plan,
	const struct image_settings *settings, const char *scratch,
	struct store_disk_result *result)
{
	struct store_disk_request request = described_disk(plan, settings->cache_dir, NULL);
	fill_settings(&request, settings, scratch);
	return store_disk_pack(diag, &request, result);
}

int64_t *disk_image_peek(struct arena *arena, const struct plan *plan, const char *cache_dir,
	const struct cache_sharing *sharing)
{
	int64_t *stored = disk_image_nothing_known(arena, plan);
	struct store_disk_request request = described_disk(plan, cache_dir, stored);
	request.sharing = sharing;
	if (plan->vm->store_on_disk && disk_way(plan)->make == store_disk_link)
		store_disk_peek(&request);
	return stored;
}

/* ---- a disk for several VMs ---- */

/*
 * The file with the known facts of a disk: the blocks of its data and the root hash of their tree
 * ("0 -" without one), then the stored size of each path of the closure, one per line.
 */
const char *disk_image_sizes(struct arena *arena, const char *disk)
{
	return arena_printf(arena, "%s.sizes", disk);
}

bool disk_image_make_shared(struct arena *arena, struct diag *diag, const struct plan *plan,
	const struct image_settings *settings, const char *scratch, const char *output,
	struct store_disk_result *result)
{
	int64_t *stored = disk_image_nothing_known(arena, plan);
	BUF_CLEANUP struct buf sizes = {0};
	if (!make_disk(arena, diag, plan, settings, scratch, output, stored, result))
		return false;
	const struct verity *verity = &result->verity;
	buf_printf(&sizes, "%llu %s\n", (unsigned long long)verity->data_blocks,
		verity->data_blocks ? verity_root_text(arena, verity) : "-");
	for (size_t i = 0; i < plan->closure.n; i++)
		buf_printf(&sizes, "%lld\n", (long long)stored[i]);
	return file_write(diag, disk_image_sizes(arena, output), buf_text(&sizes), sizes.n, 0444);
}

/* Returns the end of the entry in the text; NULL if it does not match this disk. */
static const char *read_verity(
	struct arena *arena, const struct plan *plan, const char *text, struct verity *verity)
{
	char *at;
	verity->data_blocks = strtoull(text, &at, 10);
	const char *root = *at == ' ' ? at + 1 : at, *end = strchrnul(root, '\n');
	const bool has_tree = verity->data_blocks &&
		verity_root_parse(arena_strndup(arena, root, (size_t)(end - root)), verity);
	return has_tree == plan->vm->store_disk.verity ? end : NULL;
}

static bool read_sizes(struct arena *arena, struct diag *diag, const struct plan *plan,
	const char *disk, struct image_results *results)
{
	struct bytes text;
	if (!file_read(arena, diag, disk_image_sizes(arena, disk), SIZES_BYTES, &text))
		return false;
	const char *at = read_verity(arena, plan, text.p, &results->store_disk.verity);
	if (!at)
		return diag_error(diag, STATUS_FAILED, NULL, "unreadable-file",
			"%s does not describe the hash tree of its disk",
			disk_image_sizes(arena, disk));
	for (size_t i = 0; i < plan->closure.n; i++) {
		char *end;
		results->stored[i] = strtoll(at, &end, 10);
		at = end;
	}
	return true;
}

static bool take_disk(
	struct diag *diag, const struct plan *plan, const char *disk, const char *output)
{
	return link(disk, output) == 0 || file_copy(diag, disk, output, disk_image_mode(plan));
}

const char *disk_image_key(struct arena *arena, const struct plan *plan)
{
	const struct vm *vm = plan->vm;
	BUF_CLEANUP struct buf text = {0};
	buf_printf(&text, "%s %s %s %s %s %lld %lld %d %d %u\n", MVM_VERSION,
		store_type_names[vm->store_disk.type], store_engine_names[vm->store_disk.engine],
		compression_names[vm->store_disk.compression],
		store_device_names[vm->store_disk.device], (long long)vm->store_disk.level,
		(long long)vm->store_disk.block_size, vm->store_disk.tail_packing,
		vm->store_disk.verity, (unsigned)plan->time);
	/* A disk that was not verified must not be taken for one that was. */
	if (!vm->store_disk.verify)
		buf_puts(&text, "trusted\n");
	for (size_t i = 0; i < vm->store_disk.mkfs_features.n; i++)
		buf_printf(&text, "%s\n", vm->store_disk.mkfs_features.v[i]);
	for (size_t i = 0; i < plan->closure.n; i++)
		buf_printf(&text, "%s %s\n", plan->closure.v[i].path,
			plan->closure.v[i].nar_hash ? plan->closure.v[i].nar_hash : "");
	unsigned char digest[SHA256_DIGEST_LENGTH];
	SHA256((const unsigned char *)buf_text(&text), text.n, digest);
	return arena_hex(arena, digest, sizeof digest);
}

bool disk_image_make(struct arena *arena, struct diag *diag, const struct plan *plan,
	const struct image_settings *settings, const char *scratch, const char *output,
	struct image_results *results)
{
	const char *made = settings->store_disk;
	struct stat st;
	if (made ? !read_sizes(arena, diag, plan, made, results) ||
				!take_disk(diag, plan, made, output)
		 : !make_disk(arena, diag, plan, settings, scratch, output, results->stored,
			   &results->store_disk))
		return false;
	if (stat(output, &st) != 0)
		return diag_error(diag, STATUS_FAILED, NULL, "unreadable-file",
			"cannot read %s: %s", output, strerror(errno));
	results->disk_bytes = (uint64_t)st.st_size;
	return true;
}

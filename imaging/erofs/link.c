/* SPDX-License-Identifier: MIT */
/*
 * The image: a block with the super block, the root and .links; then for each object its data, as
 * placed by placer, and new blocks of metadata; finally the root's entries.
 */
#include "imaging/erofs/link.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/arena.h"
#include "imaging/disk/placer.h"
#include "imaging/disk/writer.h"
#include "imaging/erofs/extents.h"
#include "imaging/erofs/format.h"
#include "imaging/erofs/inode.h"
#include "imaging/erofs/meta.h"
#include "imaging/erofs/nodes.h"
#include "imaging/erofs/super.h"
#include "imaging/store/store_root.h"

/* After the super block and the configurations. Both inodes have room for inline entries. */
enum { ROOT_PLACE = 1216, LINKS_PLACE = 1280 };

struct erofs_linker {
	struct image_writer *image;
	uint32_t time;
	struct placer *placer;
	struct erofs_meta *meta;
	struct erofs_nodes *nodes;
	struct arena *arena;
	struct erofs_setup setup;
	bool has_setup;
	uint32_t features;
	uint64_t ninodes;
	XXH3_state_t *content; /* hash of names and objects, for the UUID */
	VEC(struct erofs_entry) root;
};

struct erofs_linker *erofs_linker_new(struct image_writer *image, uint32_t time)
{
	struct erofs_linker *linker = require_memory(calloc(1, sizeof *linker));
	linker->image = image;
	linker->time = time;
	linker->placer = placer_new(image, EROFS_BLOCK);
	linker->meta = erofs_meta_new(image);
	linker->nodes = erofs_nodes_new(linker->placer, linker->meta, erofs_nid(ROOT_PLACE), time);
	linker->arena = arena_new();
	linker->content = require_memory(XXH3_createState());
	XXH3_128bits_reset(linker->content);
	linker->ninodes = 2; /* the root and .links */
	return linker;
}

void erofs_linker_free(struct erofs_linker *linker)
{
	if (!linker)
		return;
	erofs_nodes_free(linker->nodes);
	erofs_meta_free(linker->meta);
	placer_free(linker->placer);
	arena_free(linker->arena);
	XXH3_freeState(linker->content);
	free(linker);
}

/* ---- one object ---- */

static void note_runs(struct erofs_linker *linker, const struct object *object)
{
	for (const struct object_record *r = NULL; (r = object_next(object, r));) {
		if (r->type != OBJECT_FILE || (uint64_t)r->count * 4 < sizeof(struct erofs_extents))
			continue;
		const struct erofs_extents *extents = object_record_payload(r);
		const struct object_file *file = object_record_file(r);
		if (extents->blocks)
			placer_note_run(linker->placer,
				(struct run){file->start, (uint64_t)extents->blocks * EROFS_BLOCK,
					file->hash});
	}
}

/* All objects must agree, because they share one super block. */
static bool agree_on_setup(struct erofs_linker *linker, const struct object *object)
{
	static const struct erofs_setup nothing;
	struct erofs_setup setup;
	_Static_assert(sizeof setup == sizeof object->footer.setup, "fits into an object");
	memcpy(&setup, object->footer.setup, sizeof setup);
	if (memcmp(&setup, &nothing, sizeof setup) == 0)
		return true;
	if (linker->has_setup)
		return memcmp(&setup, &linker->setup, sizeof setup) == 0;
	linker->setup = setup;
	linker->has_setup = true;
	return setup.config_bytes <= sizeof setup.config;
}

static void identify(struct erofs_linker *linker, const char *name, const struct object *object)
{
	XXH3_128bits_update(linker->content, name, strlen(name) + 1);
	XXH3_128bits_update(
		linker->content, object->footer.data_hash, sizeof object->footer.data_hash);
	XXH3_128bits_update(
		linker->content, object->footer.tables_hash, sizeof object->footer.tables_hash);
}

/* Writes the inodes of an object whose data is placed. */
static bool add_nodes(struct erofs_linker *linker, struct diag *diag, const char *name,
	const struct object *object)
{
	erofs_meta_begin(linker->meta, placer_reserve(linker->placer, 0));
	struct erofs_entry top = {.name = name, .name_length = (uint8_t)strlen(name)};
	if (!agree_on_setup(linker, object) ||
		!erofs_nodes_add(linker->nodes, object, linker->ninodes, &top, &linker->features))
		return diag_error(diag, STATUS_FAILED, NULL, "damaged-object",
			"the cached object of %s is damaged", name);
	if (placer_reserve(linker->placer, erofs_meta_bytes(linker->meta)) / EROFS_BLOCK >=
		UINT32_MAX - erofs_meta_bytes(linker->meta) / EROFS_BLOCK)
		return diag_error(diag, STATUS_FAILED, NULL, "store-too-large",
			"the closure is too large for erofs");
	if (!erofs_meta_end(linker->meta))
		return image_writer_failed(linker->image, diag);
	identify(linker, name, object);
	linker->ninodes += object->footer.inodes;
	vec_push(linker->arena, &linker->root, top);
	return true;
}

bool erofs_linker_add(struct erofs_linker *linker, struct diag *diag, const char *name,
	const struct object *object)
{
	note_runs(linker, object);
	if (object->footer.data_bytes && !placer_add(linker->placer, object))
		return image_writer_failed(linker->image, diag);
	return add_nodes(linker, diag, name, object);
}

uint64_t erofs_linker_reserve(struct erofs_linker *linker, uint64_t bytes)
{
	return placer_reserve(linker->placer, bytes);
}

bool erofs_linker_add_placed(struct erofs_linker *linker, struct diag *diag, const char *name,
	const struct object *object)
{
	placer_add_placed(linker->placer);
	return add_nodes(linker, diag, name, object);
}

/* ---- root and super block ---- */

/* Two paths of the same name, or one with the name of our own directory, would hide each other. */
static bool root_complete(struct erofs_linker *linker, struct diag *diag)
{
	struct erofs_entry own[] = {erofs_dot, erofs_dot_dot,
		{.name = STORE_LINKS_NAME,
			.name_length = sizeof STORE_LINKS_NAME - 1,
			.type = EROFS_TYPE_DIRECTORY}};
	own[0].nid = own[1].nid = erofs_nid(ROOT_PLACE);
	own[2].nid = erofs_nid(LINKS_PLACE);
	for (size_t i = 0; i < countof(own); i++)
		vec_push(linker->arena, &linker->root, own[i]);
	erofs_entries_sort(linker->root.v, linker->root.n);
	for (size_t i = 1; i < linker->root.n; i++)
		if (erofs_entry_compare(&linker->root.v[i - 1], &linker->root.v[i]) == 0)
			return diag_error(diag, STATUS_INPUT, NULL, "duplicate-path",
				"two paths of the store disk are named \"%.*s\"",
				linker->root.v[i].name_length, linker->root.v[i].name);
	return true;
}

static struct erofs_node root_node(const struct erofs_linker *linker, uint64_t place)
{
	struct erofs_node node = {.size = erofs_directory_bytes(linker->root.v, linker->root.n),
		.mode = S_IFDIR | STORE_ROOT_MODE,
		.layout = EROFS_PLAIN,
		.start = (uint32_t)(place / EROFS_BLOCK),
		.gid = STORE_ROOT_GID,
		.time = linker->time};
	for (size_t i = 0; i < linker->root.n; i++)
		node.links += linker->root.v[i].type == EROFS_TYPE_DIRECTORY;
	return node;
}

static bool write_root_entries(const struct erofs_linker *linker, uint64_t place)
{
	size_t left = linker->root.n;
	for (const struct erofs_entry *entries = linker->root.v; left; place += EROFS_BLOCK) {
		unsigned char block[EROFS_BLOCK] = {0};
		const size_t count = erofs_directory_block(entries, left, block);
		if (!image_writer_put(linker->image, block, sizeof block, place))
			return false;
		entries += count;
		left -= count;
	}
	return true;
}

static void write_links_directory(const struct erofs_linker *linker, unsigned char *into)
{
	struct erofs_entry entries[] = {erofs_dot, erofs_dot_dot};
	entries[0].nid = erofs_nid(LINKS_PLACE);
	entries[1].nid = erofs_nid(ROOT_PLACE);
	const struct erofs_node node = {.size = erofs_directory_bytes(entries, countof(entries)),
		.mode = S_IFDIR | STORE_LINKS_MODE,
		.layout = EROFS_INLINE,
		.number = 1,
		.links = 2,
		.time = linker->time};
	erofs_inode_write(&node, into);
	erofs_directory_block(entries, countof(entries), into + erofs_inode_bytes(&node));
}

static bool write_first_block(
	const struct erofs_linker *linker, uint64_t root_place, uint64_t image_bytes)
{
	unsigned char block[EROFS_BLOCK] = {0};
	const struct erofs_node root = root_node(linker, root_place);
	struct erofs_super_request super = {.setup = &linker->setup,
		.features = linker->features,
		.root_nid = erofs_nid(ROOT_PLACE),
		.inodes = linker->ninodes,
		.blocks = image_bytes / EROFS_BLOCK,
		.time = linker->time};
	XXH128_canonical_t uuid;
	XXH3_128bits_update(linker->content, &linker->setup, sizeof linker->setup);
	XXH3_128bits_update(linker->content, &linker->time, sizeof linker->time);
	XXH128_canonicalFromHash(&uuid, XXH3_128bits_digest(linker->content));
	memcpy(super.uuid, uuid.digest, sizeof super.uuid);
	super.uuid[6] = (super.uuid[6] & 0x0f) | 0x80; /* version 8: custom contents */
	super.uuid[8] = (super.uuid[8] & 0x3f) | 0x80;
	erofs_inode_write(&root, block + ROOT_PLACE);
	write_links_directory(linker, block + LINKS_PLACE);
	erofs_super_write(&super, block);
	return image_writer_put(linker->image, block, sizeof block, 0);
}

static bool image_end(struct erofs_linker *linker, uint64_t root_place, uint64_t *image_bytes)
{
	if (!erofs_meta_finish(linker->meta))
		return false;
	if (!placer_finish(linker->placer, image_bytes))
		return false;
	if (!write_root_entries(linker, root_place))
		return false;
	return write_first_block(linker, root_place, *image_bytes);
}

bool erofs_linker_finish(
	struct erofs_linker *linker, struct diag *diag, uint64_t *image_bytes, uint64_t *inodes)
{
	if (!root_complete(linker, diag))
		return false;
	const uint64_t root_place = placer_reserve(
		linker->placer, erofs_directory_bytes(linker->root.v, linker->root.n));
	*inodes = linker->ninodes;
	return image_end(linker, root_place, image_bytes) ||
		image_writer_failed(linker->image, diag);
}

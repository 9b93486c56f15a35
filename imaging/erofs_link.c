/* SPDX-License-Identifier: MIT */
/*
 * The image: a block with the super block, the root and .links; then of each object the data, as placer puts it, and new blocks of metadata; last the
 * root's entries.
 */
#include "imaging/erofs_link.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "compiler/base/arena.h"
#include "compiler/base/file.h"
#include "imaging/erofs_extents.h"
#include "imaging/erofs_format.h"
#include "imaging/erofs_index.h"
#include "imaging/erofs_inode.h"
#include "imaging/erofs_meta.h"
#include "imaging/erofs_super.h"
#include "imaging/place.h"
#include "imaging/store_root.h"

/* Behind the super block and the configurations. Both are inodes with room for their entries' tail. */
enum { ROOT_PLACE = 1216, LINKS_PLACE = 1280 };

/* An inode of the object at hand. */
struct node {
	const struct object_record *record;
	uint64_t place;        /* of its inode */
	uint64_t blocks_place; /* of a directory's whole blocks, or of a link's */
	struct erofs_node inode;
	uint32_t tail_bytes;   /* behind the inode, of directories and links */
	size_t first_child;    /* in `children` */
};

struct erofs_linker {
	char *output;
	uint32_t time;
	int fd;
	bool finished;
	struct placer *placer;
	struct erofs_meta *meta;
	struct arena *arena;
	struct erofs_setup setup;
	bool has_setup;
	uint32_t features;
	uint64_t ninodes;
	XXH3_state_t *content; /* of names and objects, for the UUID */
	VEC(struct erofs_entry) root;

	/* of the object at hand; by number */
	struct node *nodes;
	size_t nodes_capacity;
	VEC(uint32_t) open;              /* numbers of nodes whose directory is still to come */
	VEC(uint32_t) children;
	VEC(struct erofs_entry) entries; /* of the directory at hand */
};

static void *memory(void *p)
{
	if (!p)
		abort();
	return p;
}

static bool write_failed(const struct erofs_linker *linker, struct diag *diag)
{
	return diag_error(diag, STATUS_FAILED, NULL, "unwritable-file", "cannot write %s: %s", linker->output, strerror(errno));
}

struct erofs_linker *erofs_linker_new(struct diag *diag, const char *output, uint32_t time)
{
	int fd = open(output, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0) {
		diag_error(diag, STATUS_FAILED, NULL, "unwritable-file", "cannot create %s: %s", output, strerror(errno));
		return NULL;
	}
	struct erofs_linker *linker = memory(calloc(1, sizeof *linker));
	linker->output = memory(strdup(output));
	linker->time = time;
	linker->fd = fd;
	linker->placer = placer_new(fd, EROFS_BLOCK);
	linker->meta = erofs_meta_new(fd);
	linker->arena = arena_new();
	linker->content = memory(XXH3_createState());
	XXH3_128bits_reset(linker->content);
	linker->ninodes = 2; /* the root and .links */
	return linker;
}

void erofs_linker_free(struct erofs_linker *linker)
{
	if (!linker)
		return;
	fd_close(&linker->fd);
	if (!linker->finished)
		unlink(linker->output);
	placer_free(linker->placer);
	erofs_meta_free(linker->meta);
	arena_free(linker->arena);
	XXH3_freeState(linker->content);
	free(linker->nodes);
	free(linker->output);
	free(linker);
}

static uint64_t nid_of(uint64_t place)
{
	return place / EROFS_SLOT;
}

/* ---- one object: which inodes, and where ---- */

static const struct erofs_extents *extents_of(const struct object_record *record)
{
	const struct erofs_extents *extents = object_record_payload(record);
	return (uint64_t)record->count * 4 >= sizeof *extents + (uint64_t)extents->index_bytes + extents->tail_bytes ? extents : NULL;
}

/* Of a compressed file. */
static struct erofs_index index_of(const struct object_file *file, const struct erofs_extents *extents)
{
	struct erofs_map_header header;
	memcpy(&header, extents + 1, sizeof header);
	return (struct erofs_index){file->size, le16toh(header.advise)};
}

static bool plan_file(struct erofs_linker *linker, const struct object *object, struct node *node)
{
	const struct object_file *file = object_record_file(node->record);
	const struct erofs_extents *extents = node->record->count * 4 >= sizeof *extents ? extents_of(node->record) : NULL;
	const bool compressed = extents && extents->layout == EROFS_COMPRESSED;
	if (!extents || (uint64_t)extents->blocks * EROFS_BLOCK > object->footer.data_bytes ||
	    file->start > object->footer.data_bytes - (uint64_t)extents->blocks * EROFS_BLOCK || extents->tail_bytes > EROFS_BLOCK ||
	    (compressed && (extents->index_bytes < sizeof(struct erofs_map_header) ||
			    extents->index_bytes != sizeof(struct erofs_map_header) + erofs_index_bytes(index_of(file, extents)))))
		return false;
	if (compressed && (index_of(file, extents).advise & EROFS_ADVISE_INLINE))
		linker->features |= EROFS_FEATURE_ZTAILPACKING;
	const uint64_t start = extents->blocks ? placer_locate(linker->placer, file->start) / EROFS_BLOCK : 0;
	node->inode = (struct erofs_node){.size = file->size,
					  .mode = S_IFREG | node->record->mode,
					  .layout = extents->layout,
					  .start = compressed ? extents->blocks : (uint32_t)start,
					  .links = 1};
	node->tail_bytes = extents->tail_bytes;
	node->place = erofs_meta_place(linker->meta, erofs_inode_bytes(&node->inode) + extents->index_bytes + extents->tail_bytes, extents->tail_bytes);
	return true;
}

/* What is less than a block stands behind the inode, if both fit into a block. */
static void place_flat(struct erofs_linker *linker, struct node *node)
{
	const uint32_t inode_bytes = erofs_inode_bytes(&node->inode), rest = (uint32_t)(node->inode.size % EROFS_BLOCK);
	const bool is_inline = rest && inode_bytes + rest <= EROFS_BLOCK;
	const uint64_t blocks = node->inode.size / EROFS_BLOCK + (rest && !is_inline);
	node->inode.layout = is_inline ? EROFS_INLINE : EROFS_PLAIN;
	node->tail_bytes = is_inline ? rest : 0;
	node->blocks_place = blocks ? erofs_meta_place(linker->meta, blocks * EROFS_BLOCK, 0) : 0;
	node->inode.start = (uint32_t)(node->blocks_place / EROFS_BLOCK);
	node->place = erofs_meta_place(linker->meta, inode_bytes + node->tail_bytes, node->tail_bytes);
}

static void plan_symlink(struct erofs_linker *linker, struct node *node)
{
	node->inode = (struct erofs_node){.size = node->record->count, .mode = S_IFLNK | 0777, .links = 1};
	place_flat(linker, node);
}

static const struct erofs_entry dot = {.name = ".", .name_length = 1, .type = EROFS_TYPE_DIRECTORY};
static const struct erofs_entry dot_dot = {.name = "..", .name_length = 2, .type = EROFS_TYPE_DIRECTORY};

static uint8_t entry_type(const struct object_record *record)
{
	return record->type == OBJECT_DIRECTORY ? EROFS_TYPE_DIRECTORY : record->type == OBJECT_FILE ? EROFS_TYPE_FILE : EROFS_TYPE_SYMLINK;
}

/* Collects the directory's entries; those of nodes that have no place yet have none. */
static void collect_entries(struct erofs_linker *linker, const struct node *node, uint64_t parent)
{
	linker->entries.n = 0;
	vec_push(linker->arena, &linker->entries, dot);
	linker->entries.v[0].nid = nid_of(node->place);
	vec_push(linker->arena, &linker->entries, dot_dot);
	linker->entries.v[1].nid = parent;
	for (size_t i = 0; i < node->record->count; i++) {
		const struct node *child = &linker->nodes[linker->children.v[node->first_child + i]];
		vec_push(linker->arena, &linker->entries,
			 (struct erofs_entry){.name = object_record_name(child->record),
					      .nid = nid_of(child->place),
					      .name_length = child->record->name_length,
					      .type = entry_type(child->record)});
	}
	erofs_entries_sort(linker->entries.v, linker->entries.n);
}

/* Takes the last `count` open nodes into the directory. */
static bool plan_directory(struct erofs_linker *linker, struct node *node)
{
	const size_t count = node->record->count;
	uint32_t links = 2;
	if (count > linker->open.n)
		return false;
	linker->open.n -= count;
	node->first_child = linker->children.n;
	for (size_t i = 0; i < count; i++) {
		const uint32_t child = linker->open.v[linker->open.n + i];
		links += linker->nodes[child].record->type == OBJECT_DIRECTORY;
		vec_push(linker->arena, &linker->children, child);
	}
	collect_entries(linker, node, 0);
	node->inode = (struct erofs_node){
		.size = erofs_directory_bytes(linker->entries.v, linker->entries.n), .mode = S_IFDIR | node->record->mode, .links = links};
	place_flat(linker, node);
	return true;
}

static bool plan_record(struct erofs_linker *linker, const struct object *object, const struct object_record *record)
{
	if (record->number >= object->footer.inodes || record->parent >= object->footer.inodes || linker->nodes[record->number].record)
		return false;
	struct node *node = &linker->nodes[record->number];
	node->record = record;
	if (record->type == OBJECT_FILE ? !plan_file(linker, object, node) : record->type == OBJECT_DIRECTORY && !plan_directory(linker, node))
		return false;
	if (record->type == OBJECT_SYMLINK)
		plan_symlink(linker, node);
	node->inode.time = linker->time;
	node->inode.number = (uint32_t)(linker->ninodes + record->number);
	vec_push(linker->arena, &linker->open, record->number);
	return true;
}

/* ---- one object: what is there ---- */

static void write_file(struct erofs_linker *linker, const struct node *node, unsigned char *into)
{
	const struct object_file *file = object_record_file(node->record);
	const struct erofs_extents *extents = extents_of(node->record);
	memcpy(into, extents + 1, extents->index_bytes + extents->tail_bytes);
	if (extents->layout != EROFS_COMPRESSED)
		return;
	const uint32_t start = extents->blocks ? (uint32_t)(placer_locate(linker->placer, file->start) / EROFS_BLOCK) : 1;
	erofs_index_move(index_of(file, extents), into + sizeof(struct erofs_map_header), start);
}

/* `into` is behind the inode. */
static void write_directory(struct erofs_linker *linker, const struct node *node, unsigned char *into)
{
	const bool is_top = node->record->number == 0;
	collect_entries(linker, node, nid_of(is_top ? ROOT_PLACE : linker->nodes[node->record->parent].place));
	const struct erofs_entry *entries = linker->entries.v;
	size_t left = linker->entries.n;
	for (uint64_t at = 0; left; at += EROFS_BLOCK) {
		const bool is_tail = node->tail_bytes && at == node->inode.size / EROFS_BLOCK * EROFS_BLOCK;
		const size_t count = erofs_directory_block(entries, left, is_tail ? into : erofs_meta_at(linker->meta, node->blocks_place + at));
		entries += count;
		left -= count;
	}
}

static void write_node(struct erofs_linker *linker, const struct node *node)
{
	unsigned char *at = erofs_meta_at(linker->meta, node->place);
	erofs_inode_write(&node->inode, at);
	at += erofs_inode_bytes(&node->inode);
	if (node->record->type == OBJECT_FILE)
		write_file(linker, node, at);
	else if (node->record->type == OBJECT_DIRECTORY)
		write_directory(linker, node, at);
	else
		memcpy(node->tail_bytes ? at : erofs_meta_at(linker->meta, node->blocks_place), object_record_payload(node->record),
		       node->record->count);
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
			placer_note_run(linker->placer, (struct run){file->start, (uint64_t)extents->blocks * EROFS_BLOCK, file->hash});
	}
}

/* The super block is one for all: they must agree. */
static bool take_setup(struct erofs_linker *linker, const struct object *object)
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
	XXH3_128bits_update(linker->content, object->footer.data_hash, sizeof object->footer.data_hash);
	XXH3_128bits_update(linker->content, object->footer.tables_hash, sizeof object->footer.tables_hash);
}

static void nodes_start(struct erofs_linker *linker, size_t n)
{
	if (n > linker->nodes_capacity) {
		linker->nodes_capacity = n;
		free(linker->nodes);
		linker->nodes = memory(malloc(n * sizeof *linker->nodes));
	}
	memset(linker->nodes, 0, n * sizeof *linker->nodes);
	linker->open.n = 0;
	linker->children.n = 0;
}

static bool add_nodes(struct erofs_linker *linker, const struct object *object)
{
	nodes_start(linker, object->footer.inodes);
	for (const struct object_record *record = NULL; (record = object_next(object, record));)
		if (!plan_record(linker, object, record))
			return false;
	if (linker->open.n != 1 || linker->open.v[0] != 0)
		return false;
	for (size_t i = 0; i < object->footer.inodes; i++)
		if (!linker->nodes[i].record)
			return false;
	for (size_t i = 0; i < object->footer.inodes; i++)
		write_node(linker, &linker->nodes[i]);
	return true;
}

bool erofs_linker_add(struct erofs_linker *linker, struct diag *diag, const char *name, const struct object *object)
{
	note_runs(linker, object);
	if (object->footer.data_bytes && !placer_add(linker->placer, object))
		return write_failed(linker, diag);
	erofs_meta_begin(linker->meta, placer_reserve(linker->placer, 0));
	if (!take_setup(linker, object) || !add_nodes(linker, object))
		return diag_error(diag, STATUS_FAILED, NULL, "damaged-object", "the cached object of %s is damaged", name);
	if (placer_reserve(linker->placer, erofs_meta_bytes(linker->meta)) / EROFS_BLOCK >= UINT32_MAX - erofs_meta_bytes(linker->meta) / EROFS_BLOCK)
		return diag_error(diag, STATUS_FAILED, NULL, "store-too-large", "the closure is too large for erofs");
	if (!erofs_meta_end(linker->meta))
		return write_failed(linker, diag);
	identify(linker, name, object);
	linker->ninodes += object->footer.inodes;
	const struct node *top = &linker->nodes[0];
	vec_push(linker->arena, &linker->root,
		 (struct erofs_entry){.name = name,
				      .nid = nid_of(top->place),
				      .name_length = (uint8_t)strlen(name),
				      .type = entry_type(top->record)});
	return true;
}

/* ---- the end ---- */

/* Two paths of one name, or one that is called as our own directory, would hide each other. */
static bool root_complete(struct erofs_linker *linker, struct diag *diag)
{
	struct erofs_entry own[] = {dot, dot_dot,
				    {.name = STORE_LINKS_NAME, .name_length = sizeof STORE_LINKS_NAME - 1, .type = EROFS_TYPE_DIRECTORY}};
	own[0].nid = own[1].nid = nid_of(ROOT_PLACE);
	own[2].nid = nid_of(LINKS_PLACE);
	for (size_t i = 0; i < countof(own); i++)
		vec_push(linker->arena, &linker->root, own[i]);
	erofs_entries_sort(linker->root.v, linker->root.n);
	for (size_t i = 1; i < linker->root.n; i++)
		if (erofs_entry_compare(&linker->root.v[i - 1], &linker->root.v[i]) == 0)
			return diag_error(diag, STATUS_INPUT, NULL, "duplicate-path", "two paths of the store disk are named \"%.*s\"",
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
		if (!fd_write_all(linker->fd, block, sizeof block, (off_t)place))
			return false;
		entries += count;
		left -= count;
	}
	return true;
}

static void write_links_directory(const struct erofs_linker *linker, unsigned char *into)
{
	struct erofs_entry entries[] = {dot, dot_dot};
	entries[0].nid = nid_of(LINKS_PLACE);
	entries[1].nid = nid_of(ROOT_PLACE);
	const struct erofs_node node = {.size = erofs_directory_bytes(entries, countof(entries)),
					.mode = S_IFDIR | STORE_LINKS_MODE,
					.layout = EROFS_INLINE,
					.number = 1,
					.links = 2,
					.time = linker->time};
	erofs_inode_write(&node, into);
	erofs_directory_block(entries, countof(entries), into + erofs_inode_bytes(&node));
}

static bool write_first_block(const struct erofs_linker *linker, uint64_t root_place, uint64_t image_bytes)
{
	unsigned char block[EROFS_BLOCK] = {0};
	const struct erofs_node root = root_node(linker, root_place);
	struct erofs_super_request super = {.setup = &linker->setup,
					    .features = linker->features,
					    .root_nid = nid_of(ROOT_PLACE),
					    .inodes = linker->ninodes,
					    .blocks = image_bytes / EROFS_BLOCK,
					    .time = linker->time};
	XXH128_canonical_t uuid;
	XXH3_128bits_update(linker->content, &linker->setup, sizeof linker->setup);
	XXH3_128bits_update(linker->content, &linker->time, sizeof linker->time);
	XXH128_canonicalFromHash(&uuid, XXH3_128bits_digest(linker->content));
	memcpy(super.uuid, uuid.digest, sizeof super.uuid);
	super.uuid[6] = (super.uuid[6] & 0x0f) | 0x80; /* version 8, of one's own making */
	super.uuid[8] = (super.uuid[8] & 0x3f) | 0x80;
	erofs_inode_write(&root, block + ROOT_PLACE);
	write_links_directory(linker, block + LINKS_PLACE);
	erofs_super_write(&super, block);
	return fd_write_all(linker->fd, block, sizeof block, 0);
}

bool erofs_linker_finish(struct erofs_linker *linker, struct diag *diag, uint64_t *image_bytes, uint64_t *inodes)
{
	if (!root_complete(linker, diag))
		return false;
	const uint64_t root_place = placer_reserve(linker->placer, erofs_directory_bytes(linker->root.v, linker->root.n));
	*inodes = linker->ninodes;
	bool ok = erofs_meta_finish(linker->meta) && placer_finish(linker->placer, image_bytes) && write_root_entries(linker, root_place) &&
		  write_first_block(linker, root_place, *image_bytes) && ftruncate(linker->fd, (off_t)*image_bytes) == 0;
	/* Some file systems tell only now that there was no room. */
	int fd = linker->fd;
	linker->fd = -1;
	if (close(fd) != 0)
		ok = false;
	linker->finished = ok;
	return ok || write_failed(linker, diag);
}

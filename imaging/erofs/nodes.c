/* SPDX-License-Identifier: MIT */
#include "imaging/erofs/nodes.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "imaging/erofs/extents.h"
#include "imaging/erofs/format.h"
#include "imaging/erofs/index.h"
#include "imaging/erofs/xattr.h"

struct node {
	const struct object_record *record;
	uint64_t place;        /* of its inode */
	uint64_t blocks_place; /* of the whole blocks of a directory or link */
	struct erofs_node inode;
	uint32_t tail_bytes;          /* inline after the inode, in directories and links */
	size_t first_child;           /* index in `children` */
	struct attributes attributes; /* zeros if it has none */
};

struct erofs_nodes {
	struct placer *placer;
	struct erofs_meta *meta;
	uint64_t root; /* nid of the image's root */
	uint32_t time;
	struct arena *arena;

	/* of the current object; indexed by number */
	struct node *v;
	size_t capacity;
	uint64_t first_number;
	uint32_t features;
	struct attributes pending; /* of the record that follows, if `has_pending` */
	bool has_pending;
	VEC(uint32_t) open; /* numbers of nodes whose directory follows later */
	VEC(uint32_t) children;
	VEC(struct erofs_entry) entries; /* of the current directory */
};

struct erofs_nodes *erofs_nodes_new(
	struct placer *placer, struct erofs_meta *meta, uint64_t root, uint32_t time)
{
	struct erofs_nodes *nodes = require_memory(calloc(1, sizeof *nodes));
	nodes->placer = placer;
	nodes->meta = meta;
	nodes->root = root;
	nodes->time = time;
	nodes->arena = arena_new();
	return nodes;
}

void erofs_nodes_free(struct erofs_nodes *nodes)
{
	if (!nodes)
		return;
	arena_free(nodes->arena);
	free(nodes->v);
	free(nodes);
}

/* ---- planning: inodes and their places ---- */

/* The inode with its extended attributes. */
static uint32_t head_bytes(const struct node *node)
{
	return erofs_inode_bytes(&node->inode) + node->inode.xattr_bytes;
}

/* Completes an inode whose size and links are known. */
static void set_owner(const struct erofs_nodes *nodes, struct node *node)
{
	node->inode.time = nodes->time;
	node->inode.number = (uint32_t)(nodes->first_number + node->record->number);
	node->inode.uid = node->attributes.uid;
	node->inode.gid = node->attributes.gid;
	node->inode.xattr_bytes = erofs_xattr_bytes(node->attributes);
}

static const struct erofs_extents *extents_of(const struct object_record *record)
{
	const struct erofs_extents *extents = object_record_payload(record);
	return (uint64_t)record->count * 4 >=
			sizeof *extents + (uint64_t)extents->index_bytes + extents->tail_bytes
		? extents
		: NULL;
}

/* Returns the index of a compressed file. */
static struct erofs_index index_of(
	const struct object_file *file, const struct erofs_extents *extents)
{
	struct erofs_map_header header;
	memcpy(&header, extents + 1, sizeof header);
	return (struct erofs_index){file->size, le16toh(header.advise)};
}

static bool plan_file(struct erofs_nodes *nodes, const struct object *object, struct node *node)
{
	const struct object_file *file = object_record_file(node->record);
	const struct erofs_extents *extents =
		node->record->count * 4 >= sizeof *extents ? extents_of(node->record) : NULL;
	const bool compressed = extents && extents->layout == EROFS_COMPRESSED;
	if (!extents || (uint64_t)extents->blocks * EROFS_BLOCK > object->footer.data_bytes ||
		file->start > object->footer.data_bytes - (uint64_t)extents->blocks * EROFS_BLOCK ||
		extents->tail_bytes > EROFS_BLOCK ||
		(compressed &&
			(extents->index_bytes < sizeof(struct erofs_map_header) ||
				extents->index_bytes !=
					sizeof(struct erofs_map_header) +
						erofs_index_bytes(index_of(file, extents)))))
		return false;
	if (compressed && (index_of(file, extents).advise & EROFS_ADVISE_INLINE))
		nodes->features |= EROFS_FEATURE_ZTAILPACKING;
	const uint64_t start =
		extents->blocks ? placer_locate(nodes->placer, file->start) / EROFS_BLOCK : 0;
	node->inode = (struct erofs_node){.size = file->size,
		.mode = S_IFREG | node->record->mode,
		.layout = extents->layout,
		.start = compressed ? extents->blocks : (uint32_t)start,
		.links = 1};
	set_owner(nodes, node);
	node->tail_bytes = extents->tail_bytes;
	node->place = erofs_meta_place(nodes->meta,
		head_bytes(node) + extents->index_bytes + extents->tail_bytes, extents->tail_bytes);
	return true;
}

/* The last partial block is stored inline after the inode if both fit into a block. */
static void place_flat(struct erofs_nodes *nodes, struct node *node)
{
	set_owner(nodes, node);
	const uint32_t inode_bytes = head_bytes(node),
		       rest = (uint32_t)(node->inode.size % EROFS_BLOCK);
	const bool is_inline = rest && inode_bytes + rest <= EROFS_BLOCK;
	const uint64_t blocks = node->inode.size / EROFS_BLOCK + (rest && !is_inline);
	node->inode.layout = is_inline ? EROFS_INLINE : EROFS_PLAIN;
	node->tail_bytes = is_inline ? rest : 0;
	node->blocks_place = blocks ? erofs_meta_place(nodes->meta, blocks * EROFS_BLOCK, 0) : 0;
	node->inode.start = (uint32_t)(node->blocks_place / EROFS_BLOCK);
	node->place =
		erofs_meta_place(nodes->meta, inode_bytes + node->tail_bytes, node->tail_bytes);
}

static void plan_symlink(struct erofs_nodes *nodes, struct node *node)
{
	node->inode = (struct erofs_node){
		.size = node->record->count, .mode = S_IFLNK | 0777, .links = 1};
	place_flat(nodes, node);
}

/* For each type of record: the type in a directory entry, and in a mode. */
static const struct {
	uint8_t entry;
	mode_t mode;
} types[] = {
	[OBJECT_DIRECTORY] = {EROFS_TYPE_DIRECTORY, S_IFDIR},
	[OBJECT_FILE] = {EROFS_TYPE_FILE, S_IFREG},
	[OBJECT_SYMLINK] = {EROFS_TYPE_SYMLINK, S_IFLNK},
	[OBJECT_BLOCK_DEVICE] = {EROFS_TYPE_BLOCK_DEVICE, S_IFBLK},
	[OBJECT_CHARACTER_DEVICE] = {EROFS_TYPE_CHARACTER_DEVICE, S_IFCHR},
	[OBJECT_FIFO] = {EROFS_TYPE_FIFO, S_IFIFO},
	[OBJECT_SOCKET] = {EROFS_TYPE_SOCKET, S_IFSOCK},
};

static uint8_t entry_type(const struct object_record *record)
{
	return types[record->type].entry;
}

/* As the kernel's new_encode_dev (include/linux/kdev_t.h). */
static uint32_t device_number(const struct attributes *device)
{
	return (device->minor & 0xff) | device->major << 8 | (device->minor & ~0xffu) << 12;
}

static bool plan_special(struct erofs_nodes *nodes, struct node *node)
{
	if (node->record->type < OBJECT_BLOCK_DEVICE || node->record->type > OBJECT_SOCKET)
		return false;
	node->inode =
		(struct erofs_node){.mode = types[node->record->type].mode | node->record->mode,
			.layout = EROFS_PLAIN,
			.start = device_number(&node->attributes),
			.links = 1};
	set_owner(nodes, node);
	node->place = erofs_meta_place(nodes->meta, head_bytes(node), 0);
	return true;
}

/* Collects the directory's entries; their nids are valid once all places are known. */
static void collect_entries(struct erofs_nodes *nodes, const struct node *node, uint64_t parent)
{
	nodes->entries.n = 0;
	vec_push(nodes->arena, &nodes->entries, erofs_dot);
	nodes->entries.v[0].nid = erofs_nid(node->place);
	vec_push(nodes->arena, &nodes->entries, erofs_dot_dot);
	nodes->entries.v[1].nid = parent;
	for (size_t i = 0; i < node->record->count; i++) {
		const struct node *child = &nodes->v[nodes->children.v[node->first_child + i]];
		vec_push(nodes->arena, &nodes->entries,
			(struct erofs_entry){.name = object_record_name(child->record),
				.nid = erofs_nid(child->place),
				.name_length = child->record->name_length,
				.type = entry_type(child->record)});
	}
	erofs_entries_sort(nodes->entries.v, nodes->entries.n);
}

/* Moves the last `count` open nodes to the directory. */
static bool plan_directory(struct erofs_nodes *nodes, struct node *node)
{
	const size_t count = node->record->count;
	uint32_t links = 2;
	if (count > nodes->open.n)
		return false;
	nodes->open.n -= count;
	node->first_child = nodes->children.n;
	for (size_t i = 0; i < count; i++) {
		const uint32_t child = nodes->open.v[nodes->open.n + i];
		links += nodes->v[child].record->type == OBJECT_DIRECTORY;
		vec_push(nodes->arena, &nodes->children, child);
	}
	collect_entries(nodes, node, 0);
	node->inode = (struct erofs_node){
		.size = erofs_directory_bytes(nodes->entries.v, nodes->entries.n),
		.mode = S_IFDIR | node->record->mode,
		.links = links};
	place_flat(nodes, node);
	return true;
}

static bool plan_node(struct erofs_nodes *nodes, const struct object *object, struct node *node)
{
	switch (node->record->type) {
	case OBJECT_FILE:
		return plan_file(nodes, object, node);
	case OBJECT_DIRECTORY:
		return plan_directory(nodes, node);
	case OBJECT_SYMLINK:
		plan_symlink(nodes, node);
		return true;
	default:
		return plan_special(nodes, node);
	}
}

static bool plan_record(
	struct erofs_nodes *nodes, const struct object *object, const struct object_record *record)
{
	if (record->type == OBJECT_ATTRIBUTES) {
		nodes->has_pending = attributes_parse(
			object_record_payload(record), record->count, &nodes->pending);
		return nodes->has_pending;
	}
	if (record->number >= object->footer.inodes || record->parent >= object->footer.inodes ||
		nodes->v[record->number].record)
		return false;
	struct node *node = &nodes->v[record->number];
	node->record = record;
	if (nodes->has_pending)
		node->attributes = nodes->pending;
	nodes->has_pending = false;
	if (!plan_node(nodes, object, node))
		return false;
	vec_push(nodes->arena, &nodes->open, record->number);
	return true;
}

/* ---- writing ---- */

static void write_file(struct erofs_nodes *nodes, const struct node *node, unsigned char *into)
{
	const struct object_file *file = object_record_file(node->record);
	const struct erofs_extents *extents = extents_of(node->record);
	memcpy(into, extents + 1, extents->index_bytes + extents->tail_bytes);
	if (extents->layout != EROFS_COMPRESSED)
		return;
	const uint32_t start = extents->blocks
		? (uint32_t)(placer_locate(nodes->placer, file->start) / EROFS_BLOCK)
		: 1;
	erofs_index_move(index_of(file, extents), into + sizeof(struct erofs_map_header), start);
}

/* `into` is after the inode. */
static void write_directory(struct erofs_nodes *nodes, const struct node *node, unsigned char *into)
{
	const bool is_top = node->record->number == 0;
	collect_entries(nodes, node,
		is_top ? nodes->root : erofs_nid(nodes->v[node->record->parent].place));
	const struct erofs_entry *entries = nodes->entries.v;
	size_t left = nodes->entries.n;
	for (uint64_t at = 0; left; at += EROFS_BLOCK) {
		const bool is_tail =
			node->tail_bytes && at == node->inode.size / EROFS_BLOCK * EROFS_BLOCK;
		const size_t count = erofs_directory_block(entries, left,
			is_tail ? into : erofs_meta_at(nodes->meta, node->blocks_place + at));
		entries += count;
		left -= count;
	}
}

static void write_node(struct erofs_nodes *nodes, const struct node *node)
{
	unsigned char *at = erofs_meta_at(nodes->meta, node->place);
	erofs_inode_write(&node->inode, at);
	if (node->inode.xattr_bytes)
		erofs_xattr_write(node->attributes, at + erofs_inode_bytes(&node->inode));
	at += head_bytes(node);
	if (node->record->type == OBJECT_FILE)
		write_file(nodes, node, at);
	else if (node->record->type == OBJECT_DIRECTORY)
		write_directory(nodes, node, at);
	else if (node->record->type == OBJECT_SYMLINK)
		memcpy(node->tail_bytes ? at : erofs_meta_at(nodes->meta, node->blocks_place),
			object_record_payload(node->record), node->record->count);
}

static void start(struct erofs_nodes *nodes, size_t n)
{
	if (n > nodes->capacity) {
		nodes->capacity = n;
		free(nodes->v);
		nodes->v = require_memory(malloc(n * sizeof *nodes->v));
	}
	memset(nodes->v, 0, n * sizeof *nodes->v);
	nodes->open.n = 0;
	nodes->has_pending = false;
	nodes->children.n = 0;
}

static bool plan_all(struct erofs_nodes *nodes, const struct object *object)
{
	const uint64_t inodes = object->footer.inodes;
	if (inodes == 0 || inodes > object->footer.records_bytes / sizeof(struct object_record))
		return false;
	start(nodes, inodes);
	for (const struct object_record *record = NULL; (record = object_next(object, record));)
		if (!plan_record(nodes, object, record))
			return false;
	if (nodes->open.n != 1 || nodes->open.v[0] != 0)
		return false;
	for (size_t i = 0; i < object->footer.inodes; i++)
		if (!nodes->v[i].record)
			return false;
	return true;
}

bool erofs_nodes_add(struct erofs_nodes *nodes, const struct object *object, uint64_t first_number,
	struct erofs_entry *top, uint32_t *features)
{
	nodes->first_number = first_number;
	if (!plan_all(nodes, object))
		return false;
	for (size_t i = 0; i < object->footer.inodes; i++)
		write_node(nodes, &nodes->v[i]);
	top->nid = erofs_nid(nodes->v[0].place);
	top->type = entry_type(nodes->v[0].record);
	*features |= nodes->features;
	return true;
}

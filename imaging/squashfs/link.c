/* SPDX-License-Identifier: MIT */
#include "imaging/squashfs/link.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "imaging/disk/placer.h"
#include "imaging/disk/writer.h"
#include "imaging/squashfs/meta.h"
#include "imaging/squashfs/owners.h"
#include "imaging/store/store_root.h"

enum { DATA_START = OBJECT_PAGE, ROOT_NUMBER = 1, LINKS_NUMBER = 2 };

static const struct inode_owner by_root = {.xattr = SQUASHFS_INVALID_XATTR};

struct entries {
	struct directory_entry *v;
	size_t n, capacity;
};

struct squashfs_linker {
	struct squashfs_link_request request;
	ZSTD_CCtx *compressor;
	struct placer *placer;
	struct inode_tables tables;
	struct owner_tables owners;
	uint16_t root_gid;         /* index of STORE_ROOT_GID */
	struct attributes pending; /* of the record that follows, if `has_pending` */
	bool has_pending;
	struct buf fragments; /* struct squashfs_fragment_entry */
	uint64_t nfragments, ninodes;
	struct entries root; /* entries of the image's root */
	struct entries open; /* nodes whose directory follows later */
};

static void entries_push(struct entries *entries, struct directory_entry entry)
{
	if (entries->n == entries->capacity) {
		entries->capacity = entries->capacity ? entries->capacity * 2 : 256;
		entries->v =
			require_memory(realloc(entries->v, entries->capacity * sizeof *entries->v));
	}
	entries->v[entries->n++] = entry;
}

static void add_links_directory(struct squashfs_linker *linker)
{
	const struct directory links = {.mode = STORE_LINKS_MODE,
		.number = LINKS_NUMBER,
		.parent = ROOT_NUMBER,
		.owner = by_root};
	const uint64_t inode = inode_add_directory(&linker->tables, &links);
	entries_push(&linker->root,
		(struct directory_entry){.name = STORE_LINKS_NAME,
			.name_length = sizeof STORE_LINKS_NAME - 1,
			.type = SQUASHFS_DIR_TYPE,
			.number = LINKS_NUMBER,
			.inode = inode});
}

struct squashfs_linker *squashfs_linker_new(const struct squashfs_link_request *request)
{
	struct squashfs_linker *linker = require_memory(calloc(1, sizeof *linker));
	linker->request = *request;
	linker->compressor = require_memory(ZSTD_createCCtx());
	ZSTD_CCtx_setParameter(linker->compressor, ZSTD_c_compressionLevel, request->level);
	linker->placer = placer_new(request->image, DATA_START);
	linker->tables.time = request->time;
	linker->tables.inodes.compressor = linker->tables.directories.compressor =
		linker->owners.values.compressor = linker->compressor;
	uint16_t root_id;
	owner_index(&linker->owners, 0, &root_id); /* the first, as in `by_root` */
	owner_index(&linker->owners, STORE_ROOT_GID, &linker->root_gid);
	linker->ninodes = LINKS_NUMBER;
	add_links_directory(linker);
	return linker;
}

void squashfs_linker_free(struct squashfs_linker *linker)
{
	if (!linker)
		return;
	placer_free(linker->placer);
	ZSTD_freeCCtx(linker->compressor);
	buf_free(&linker->tables.inodes.stored);
	buf_free(&linker->tables.directories.stored);
	buf_free(&linker->fragments);
	owner_tables_free(&linker->owners);
	free(linker->root.v);
	free(linker->open.v);
	free(linker);
}

/* ---- one object ---- */

static uint64_t stored_bytes(const uint32_t *size_words, uint32_t n)
{
	uint64_t bytes = 0;
	for (uint32_t i = 0; i < n; i++)
		bytes += size_words[i] & ~SQUASHFS_COMPRESSED_BIT_BLOCK;
	return bytes;
}

static void note_runs(struct placer *placer, const struct object *object)
{
	for (uint32_t i = 0; i < object->footer.fragments; i++) {
		const struct object_fragment *f = &object->fragments[i];
		placer_note_run(
			placer, (struct run){f->start, stored_bytes(&f->size_word, 1), f->hash});
	}
	for (const struct object_record *r = NULL; (r = object_next(object, r));) {
		if (r->type != SQUASHFS_REG_TYPE || r->count == 0)
			continue;
		const struct object_file *file = object_record_file(r);
		placer_note_run(placer,
			(struct run){file->start, stored_bytes(object_record_payload(r), r->count),
				file->hash});
	}
}

static void add_fragments(struct squashfs_linker *linker, const struct object *object)
{
	for (uint32_t i = 0; i < object->footer.fragments; i++) {
		const struct object_fragment *fragment = &object->fragments[i];
		const struct squashfs_fragment_entry entry = {
			.start_block = htole64(placer_locate(linker->placer, fragment->start)),
			.size = htole32(fragment->size_word)};
		buf_add(&linker->fragments, &entry, sizeof entry);
	}
	linker->nfragments += object->footer.fragments;
}

/* Added to an object's own numbers. */
struct bases {
	uint32_t inode, fragment;
};

/* Sets the owner of the record from its attributes, if it has any. */
static bool take_owner(struct squashfs_linker *linker, struct inode_owner *owner)
{
	*owner = by_root;
	if (!linker->has_pending)
		return true;
	if (!owner_index(&linker->owners, linker->pending.uid, &owner->uid) ||
		!owner_index(&linker->owners, linker->pending.gid, &owner->gid))
		return false;
	owner->xattr = owner_attributes(&linker->owners, linker->pending);
	return true;
}

static bool add_file(struct squashfs_linker *linker, const struct object *object,
	const struct object_record *record, const struct inode_owner *owner, struct bases bases,
	uint64_t *inode)
{
	const struct object_record *content = object_record_original(object, record);
	if (!content)
		return false;
	const struct object_file *file = object_record_file(content);
	const bool in_fragment = file->fragment != OBJECT_NO_FRAGMENT;
	const struct regular_file regular = {.mode = record->mode,
		.number = bases.inode + record->number,
		.owner = *owner,
		.start = content->count ? placer_locate(linker->placer, file->start) : 0,
		.size = file->size,
		.sparse = file->sparse,
		.fragment = in_fragment ? bases.fragment + file->fragment : SQUASHFS_INVALID_FRAG,
		.fragment_offset = file->fragment_offset,
		.block_sizes = object_record_payload(content),
		.blocks = content->count};
	*inode = inode_add_file(&linker->tables, &regular);
	return true;
}

/* Moves the last `count` open nodes to the directory. */
static bool add_directory(struct squashfs_linker *linker, const struct object_record *record,
	const struct inode_owner *owner, struct bases bases, uint64_t *inode)
{
	if (record->count > linker->open.n)
		return false;
	linker->open.n -= record->count;
	const bool is_top = record->number == 0;
	const struct directory directory = {
		.entries = linker->open.v ? linker->open.v + linker->open.n : NULL,
		.n = record->count,
		.mode = record->mode,
		.number = bases.inode + record->number,
		.owner = *owner,
		.parent = is_top ? ROOT_NUMBER : bases.inode + record->parent};
	*inode = inode_add_directory(&linker->tables, &directory);
	return true;
}

static uint64_t add_special(struct squashfs_linker *linker, const struct object_record *record,
	const struct inode_owner *owner, struct bases bases)
{
	const struct special special = {.type = record->type,
		.mode = record->mode,
		.number = bases.inode + record->number,
		.owner = *owner,
		.major = linker->pending.major,
		.minor = linker->pending.minor};
	return inode_add_special(&linker->tables, &special);
}

static bool add_inode(struct squashfs_linker *linker, const struct object *object,
	const struct object_record *record, struct bases bases, uint64_t *inode)
{
	struct inode_owner owner;
	if (!take_owner(linker, &owner))
		return false;
	switch (record->type) {
	case OBJECT_SYMLINK:
		*inode = inode_add_symlink(&linker->tables, bases.inode + record->number, &owner,
			object_record_payload(record), record->count);
		return true;
	case OBJECT_FILE:
		return add_file(linker, object, record, &owner, bases, inode);
	case OBJECT_DIRECTORY:
		return add_directory(linker, record, &owner, bases, inode);
	case OBJECT_BLOCK_DEVICE:
	case OBJECT_CHARACTER_DEVICE:
	case OBJECT_FIFO:
	case OBJECT_SOCKET:
		*inode = add_special(linker, record, &owner, bases);
		return linker->has_pending;
	default:
		return false;
	}
}

static bool add_record(struct squashfs_linker *linker, const struct object *object,
	const struct object_record *record, struct bases bases)
{
	uint64_t inode;
	if (record->type == OBJECT_ATTRIBUTES) {
		linker->has_pending = attributes_parse(
			object_record_payload(record), record->count, &linker->pending);
		return linker->has_pending;
	}
	if (!add_inode(linker, object, record, bases, &inode))
		return false;
	linker->has_pending = false;
	entries_push(&linker->open,
		(struct directory_entry){.name = object_record_name(record),
			.name_length = record->name_length,
			.type = record->type,
			.number = bases.inode + record->number,
			.inode = inode});
	return true;
}

/* Inodes, fragments and offsets in the two tables are numbered in 32 bits. */
static bool is_too_large(const struct squashfs_linker *linker, const struct object *object)
{
	return linker->ninodes + object->footer.inodes >= UINT32_MAX ||
		linker->nfragments + object->footer.fragments >= UINT32_MAX ||
		linker->tables.inodes.stored.n + object->footer.records_bytes >= UINT32_MAX ||
		linker->tables.directories.stored.n + object->footer.records_bytes >= UINT32_MAX;
}

bool squashfs_linker_add(struct squashfs_linker *linker, struct diag *diag, const char *name,
	const struct object *object)
{
	if (is_too_large(linker, object))
		return diag_error(diag, STATUS_FAILED, NULL, "store-too-large",
			"the closure has too many files for squashfs");
	note_runs(linker->placer, object);
	if (!placer_add(linker->placer, object))
		return image_writer_failed(linker->request.image, diag);
	const struct bases bases = {
		.inode = (uint32_t)linker->ninodes + 1, .fragment = (uint32_t)linker->nfragments};
	add_fragments(linker, object);
	linker->ninodes += object->footer.inodes;
	linker->open.n = 0;
	linker->has_pending = false;
	bool ok = true;
	for (const struct object_record *record = NULL;
		ok && (record = object_next(object, record));)
		ok = add_record(linker, object, record, bases);
	if (!ok || linker->open.n != 1)
		return diag_error(diag, STATUS_FAILED, NULL, "damaged-object",
			"the cached object of %s is damaged", name);
	struct directory_entry top = linker->open.v[0];
	top.name = name;
	top.name_length = (uint8_t)strlen(name); /* the name in the object is ignored */
	entries_push(&linker->root, top);
	return true;
}

/* ---- root and tables ---- */

static int entry_compare(const void *a, const void *b)
{
	const struct directory_entry *x = a, *y = b;
	const size_t shorter = x->name_length < y->name_length ? x->name_length : y->name_length;
	int order = memcmp(x->name, y->name, shorter);
	return order ? order
		     : (x->name_length > y->name_length) - (x->name_length < y->name_length);
}

/* Two paths of the same name, or one with the name of our own directory, would hide each other. */
static bool root_sort(struct squashfs_linker *linker, struct diag *diag)
{
	const struct entries *root = &linker->root;
	qsort(root->v, root->n, sizeof *root->v, entry_compare);
	for (size_t i = 1; i < root->n; i++)
		if (entry_compare(&root->v[i - 1], &root->v[i]) == 0)
			return diag_error(diag, STATUS_INPUT, NULL, "duplicate-path",
				"two paths of the store disk are named \"%.*s\"",
				root->v[i].name_length, root->v[i].name);
	return true;
}

static uint64_t add_root(struct squashfs_linker *linker)
{
	const struct directory root = {.entries = linker->root.v,
		.n = linker->root.n,
		.mode = STORE_ROOT_MODE,
		.owner = {.gid = linker->root_gid, .xattr = SQUASHFS_INVALID_XATTR},
		.number = ROOT_NUMBER,
		/* as mksquashfs does: a number that no inode has */
		.parent = (uint32_t)linker->ninodes + 1};
	return inode_add_directory(&linker->tables, &root);
}

static uint16_t log_of(uint32_t power_of_two)
{
	return (uint16_t)__builtin_ctz(power_of_two);
}

/*
 * Appends the tables to the data, in the order that the kernel requires (fs/squashfs/super.c), and
 * returns the super block that refers to them.
 */
static struct squashfs_super_block tables_join(
	struct squashfs_linker *linker, uint64_t start, struct buf *tail)
{
	struct squashfs_super_block super = {.s_magic = htole32(SQUASHFS_MAGIC),
		.inodes = htole32((uint32_t)linker->ninodes),
		.mkfs_time = htole32(linker->request.time),
		.block_size = htole32(linker->request.block_size),
		.fragments = htole32((uint32_t)linker->nfragments),
		.compression = htole16(SQUASHFS_COMPRESSION_ZSTD),
		.block_log = htole16(log_of(linker->request.block_size)),
		.flags = htole16(SQUASHFS_FLAG_NO_XATTRS | SQUASHFS_FLAG_DUPLICATES),
		.s_major = htole16(SQUASHFS_MAJOR),
		.s_minor = htole16(SQUASHFS_MINOR),
		.xattr_id_table_start = htole64(SQUASHFS_INVALID_BLK),
		.fragment_table_start = htole64(SQUASHFS_INVALID_BLK),
		.lookup_table_start = htole64(SQUASHFS_INVALID_BLK)};
	super.root_inode = htole64(add_root(linker));
	meta_flush(&linker->tables.inodes);
	meta_flush(&linker->tables.directories);
	super.inode_table_start = htole64(start);
	buf_add(tail, linker->tables.inodes.stored.p, linker->tables.inodes.stored.n);
	super.directory_table_start = htole64(start + tail->n);
	buf_add(tail, linker->tables.directories.stored.p, linker->tables.directories.stored.n);
	if (linker->nfragments)
		super.fragment_table_start = htole64(meta_add_table(
			tail, start, linker->compressor, linker->fragments.p, linker->fragments.n));
	const struct buf *ids = &linker->owners.ids;
	super.no_ids = htole16((uint16_t)(ids->n / sizeof(uint32_t)));
	super.id_table_start =
		htole64(meta_add_table(tail, start, linker->compressor, ids->p, ids->n));
	if (linker->owners.sets.n)
		super.flags = htole16(SQUASHFS_FLAG_DUPLICATES);
	super.xattr_id_table_start = htole64(owner_add_attributes(&linker->owners, tail, start));
	super.bytes_used = htole64(start + tail->n);
	return super;
}

bool squashfs_linker_finish(
	struct squashfs_linker *linker, struct diag *diag, uint64_t *image_bytes, uint64_t *inodes)
{
	uint64_t start;
	if (!root_sort(linker, diag))
		return false;
	if (!placer_finish(linker->placer, &start))
		return image_writer_failed(linker->request.image, diag);
	BUF_CLEANUP struct buf tail = {0};
	const struct squashfs_super_block super = tables_join(linker, start, &tail);
	*inodes = linker->ninodes;
	*image_bytes = (start + tail.n + OBJECT_PAGE - 1) & ~(uint64_t)(OBJECT_PAGE - 1);
	return (image_writer_put(linker->request.image, tail.p, tail.n, start) &&
		       image_writer_put(linker->request.image, &super, sizeof super, 0)) ||
		image_writer_failed(linker->request.image, diag);
}

/* SPDX-License-Identifier: MIT */
#include "imaging/erofs/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/process.h"
#include "imaging/erofs/format.h"
#include "imaging/erofs/read.h"
#include "imaging/erofs/record.h"
#include "imaging/store/nar_hash.h"

#define ONLY_FILE "file" /* name in the image of a path that is a file itself */

struct erofs_packing {
	struct packing common; /* must be first: pointers to both are converted */
	struct arena *arena;
	const char *image; /* the file that mkfs.erofs creates; NULL: none */
	const char *copy;  /* a directory with a copy of a path that is a file; NULL: none */
	bool has_content;  /* a file is not empty */
	bool is_file;
	bool complete;
};

static struct erofs_packing *as_erofs(struct packing *packing)
{
	return (void *)packing;
}

/* ---- the tree ---- */

static bool add_file(struct packing *packing, struct diag *diag, int fd,
	struct object_record record, uint64_t size, const char *name)
{
	struct erofs_packing *p = as_erofs(packing);
	(void)diag, (void)fd;
	const struct object_file file = {
		.size = size,
		.fragment = OBJECT_NO_FRAGMENT,
		.original = OBJECT_OWN_CONTENT,
	};
	packing_record_begin(packing, record, &file, name);
	packing_record_end(packing);
	p->has_content |= size > 0;
	p->is_file = record.number == 0;
	return true;
}

static void remove_temporary(struct erofs_packing *p)
{
	if (p->image)
		unlink(p->image);
	if (p->copy)
		tree_remove(p->copy);
	p->image = p->copy = NULL;
}

static void packing_free(struct packing *packing)
{
	struct erofs_packing *p = as_erofs(packing);
	remove_temporary(p);
	packing_release(packing);
	arena_free(p->arena);
	free(p);
}

static bool is_complete(const struct packing *packing)
{
	return ((const struct erofs_packing *)(const void *)packing)->complete;
}

struct packing *erofs_packing_new(const struct packing_request *request)
{
	struct erofs_packing *p = require_memory(calloc(1, sizeof *p));
	packing_init(&p->common, request);
	p->common.add_file = add_file;
	p->common.is_complete = is_complete;
	p->common.free = packing_free;
	p->arena = arena_new();
	return &p->common;
}

/* ---- the process ---- */

/* Returns a directory, because mkfs.erofs does not accept a file. */
static const char *source(struct erofs_packing *p, struct diag *diag, const char *scratch)
{
	if (!p->is_file)
		return p->common.root;
	p->copy = arena_printf(p->arena, "%s.d", scratch);
	if (!directory_make(diag, p->copy, 0700) ||
		!file_copy(diag, p->common.root, path_join(p->arena, p->copy, ONLY_FILE), 0600))
		return NULL;
	return p->copy;
}

static bool fill(struct erofs_packing *p, struct diag *diag, struct erofs_image *image);

/*
 * Checks the path's hash. This runs after mkfs.erofs, so that files that changed before it read
 * them are found.
 */
static bool check(struct erofs_packing *p, struct diag *diag)
{
	struct packing *common = &p->common;
	uint64_t size;
	if (common->whole)
		return tree_hash(diag, common->root, common->nar_hash, &size) &&
			packing_unchanged(common, diag);
	return nar_hash(diag, common->root, common->nar_hash, &size) &&
		nar_check(diag, common->root, common->identity.nar_hash, common->nar_hash);
}

bool erofs_packing_start(struct packing *packing, struct diag *diag, const struct strings *command,
	const char *scratch, struct process **process)
{
	struct erofs_packing *p = as_erofs(packing);
	*process = NULL;
	if (!packing_walk(packing, diag, false))
		return false;
	if (!p->has_content) {
		p->complete = check(p, diag) && fill(p, diag, NULL);
		return p->complete;
	}
	struct strings argv = {0};
	const char *from = source(p, diag, scratch);
	if (!from)
		return false;
	p->image = arena_strdup(p->arena, scratch);
	strings_add(p->arena, &argv, command->v, command->n);
	for (size_t i = 0; packing->whole && store_walk_left_out[i]; i++)
		vec_push(p->arena, &argv,
			arena_printf(p->arena, "--exclude-regex=^%s/", store_walk_left_out[i]));
	vec_push(p->arena, &argv, p->image);
	vec_push(p->arena, &argv, from);
	vec_push(p->arena, &argv, NULL);
	*process = process_start(diag, argv.v, NULL);
	return *process;
}

/* ---- the image ---- */

/* Finds the content of each file in the image, and copies it to the object. */
struct filler {
	struct erofs_packing *p;
	struct diag *diag;
	struct erofs_image *image;
	const struct object_record **records; /* by number */
	uint64_t *nids;                       /* of directories, by number; 0: not looked up yet */
	/* contents that are in the object; open addressing, `blocks` is 0 in a free slot */
	struct known_run *known;
	size_t nknown, slots;
	struct buf out;
};

struct known_run {
	uint64_t hash, start; /* `start` in the object's data */
	const unsigned char *from;
	uint32_t blocks;
};

static bool filler_failed(const struct filler *filler, const struct object_record *record)
{
	return diag_error(filler->diag, STATUS_FAILED, NULL, "mkfs.erofs",
		"the store disk's linker cannot use the image that mkfs.erofs made of %s: %s (at "
		"\"%.*s\")",
		filler->p->common.root, filler->image->wrong, record->name_length,
		object_record_name(record));
}

static bool find(struct filler *filler, const struct object_record *record, uint64_t *nid)
{
	const struct erofs_packing *p = filler->p;
	if (record->number == 0 && p->is_file)
		return erofs_image_lookup(
			filler->image, filler->image->root, ONLY_FILE, strlen(ONLY_FILE), nid);
	*nid = record->number == 0 ? filler->image->root : filler->nids[record->number];
	uint64_t parent;
	if (*nid)
		return true;
	if (!find(filler, filler->records[record->parent], &parent) ||
		!erofs_image_lookup(filler->image, parent, object_record_name(record),
			record->name_length, nid))
		return false;
	if (record->type == OBJECT_DIRECTORY)
		filler->nids[record->number] = *nid;
	return true;
}

static size_t known_slot(const struct known_run *known, size_t slots, const struct known_run *run)
{
	size_t slot = (size_t)run->hash & (slots - 1);
	while (known[slot].blocks &&
		(known[slot].hash != run->hash || known[slot].blocks != run->blocks ||
			memcmp(known[slot].from, run->from, (size_t)run->blocks * EROFS_BLOCK) !=
				0))
		slot = (slot + 1) & (slots - 1);
	return slot;
}

static void known_grow(struct filler *filler)
{
	const size_t slots = filler->slots ? filler->slots * 2 : 64;
	struct known_run *larger = require_memory(calloc(slots, sizeof *larger));
	for (size_t i = 0; i < filler->slots; i++)
		if (filler->known[i].blocks)
			larger[known_slot(larger, slots, &filler->known[i])] = filler->known[i];
	free(filler->known);
	filler->known = larger;
	filler->slots = slots;
}

/*
 * Equal blocks are stored once, whether two names are hard links, as in an optimised store, or not.
 */
static bool place_blocks(
	struct filler *filler, const struct erofs_content *content, struct object_file *file)
{
	if (content->blocks == 0)
		return true;
	struct known_run run = {.from = filler->image->p + (uint64_t)content->start * EROFS_BLOCK,
		.blocks = content->blocks};
	const size_t bytes = (size_t)run.blocks * EROFS_BLOCK;
	file->hash = run.hash = XXH3_64bits(run.from, bytes);
	if (filler->nknown * 2 >= filler->slots)
		known_grow(filler);
	struct known_run *slot = &filler->known[known_slot(filler->known, filler->slots, &run)];
	if (slot->blocks == 0) {
		run.start = filler->p->common.data_bytes;
		*slot = run;
		filler->nknown++;
		if (!packing_write(&filler->p->common, filler->diag, run.from, bytes))
			return false;
	}
	file->start = slot->start;
	return true;
}

static bool fill_file(struct filler *filler, const struct object_record *record)
{
	struct object_file file = *object_record_file(record);
	struct erofs_content content = {.layout = EROFS_PLAIN};
	uint64_t nid;
	if (file.size) {
		if (!find(filler, record, &nid) ||
			!erofs_image_content(filler->image, nid, &content))
			return filler_failed(filler, record);
		if (content.size != file.size)
			return diag_error(filler->diag, STATUS_INPUT, NULL, "file-changed",
				"\"%.*s\" in %s changed while it was read", record->name_length,
				object_record_name(record), filler->p->common.root);
		if (!place_blocks(filler, &content, &file))
			return false;
	}
	erofs_record_add(&filler->out, *record, &file, object_record_name(record), &content);
	return true;
}

/* `image` is NULL if no file has content. */
static bool fill(struct erofs_packing *p, struct diag *diag, struct erofs_image *image)
{
	/* The records of the walk, viewed as an object's. */
	const struct object walked = {.footer.records_bytes = p->common.records.n,
		.records = (const void *)p->common.records.p};
	struct filler filler = {.p = p, .diag = diag, .image = image};
	filler.records = require_memory(calloc(p->common.walk.nodes, sizeof *filler.records));
	filler.nids = require_memory(calloc(p->common.walk.nodes, sizeof *filler.nids));
	bool ok = true;
	for (const struct object_record *record = NULL; (record = object_next(&walked, record));)
		filler.records[record->number] = record;
	for (const struct object_record *record = NULL;
		ok && (record = object_next(&walked, record));) {
		if (record->type == OBJECT_FILE)
			ok = fill_file(&filler, record);
		else
			buf_add(&filler.out, record, object_record_bytes(record));
	}
	if (image)
		memcpy(p->common.setup, &image->setup, sizeof image->setup);
	free(filler.records);
	free(filler.nids);
	free(filler.known);
	buf_free(&p->common.records);
	p->common.records = filler.out;
	return ok;
}

static bool take_image(struct erofs_packing *p, struct diag *diag)
{
	struct stat st;
	struct erofs_image image;
	FD_CLEANUP int fd = open(p->image, O_RDONLY | O_CLOEXEC);
	void *bytes = fd < 0 || fstat(fd, &st) != 0 || st.st_size == 0
		? MAP_FAILED
		: mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return diag_error(diag, STATUS_FAILED, NULL, "unreadable-file",
			"cannot read %s: %s", p->image, strerror(errno));
	bool ok = erofs_image_open(&image, bytes, (uint64_t)st.st_size)
		? fill(p, diag, &image)
		: diag_error(diag, STATUS_FAILED, NULL, "mkfs.erofs",
			  "cannot read the image that mkfs.erofs made of %s: %s", p->common.root,
			  image.wrong);
	munmap(bytes, (size_t)st.st_size);
	return ok;
}

/* This is an estimate: the process also reads libraries, and may skip holes. */
void erofs_packing_watch(struct packing *packing, const struct process *process)
{
	const uint64_t all = packing_content_bytes(packing), read = process_read_bytes(process),
		       known = read < all ? read : all;
	if (known > packing->read_bytes)
		packing_progress(packing, known - packing->read_bytes);
}

bool erofs_packing_take(struct packing *packing, struct diag *diag, struct process *process)
{
	struct erofs_packing *p = as_erofs(packing);
	struct process_result result;
	if (!process_end(p->arena, diag, process, &result))
		return false;
	if (result.exit_status != 0)
		return diag_error(diag, STATUS_FAILED, NULL, "mkfs.erofs",
			"mkfs.erofs failed with status %d on %s: %s", result.exit_status,
			p->common.root, process_complaint(p->arena, &result));
	p->complete = check(p, diag) && take_image(p, diag);
	remove_temporary(p);
	return p->complete;
}

/* SPDX-License-Identifier: MIT */
/* packing_walk: makes the records of a tree. */
#include <string.h>
#include <sys/stat.h>

#include "imaging/cache/packing.h"
#include "imaging/store/nar_hash.h"

static struct object_record record_of(const struct store_node *node, uint8_t type, uint32_t count)
{
	return (struct object_record){.type = type,
		.mode = (uint16_t)node->mode,
		.count = count,
		.number = node->number,
		.parent = node->parent};
}

/* The path itself has its name in the store: a root file system's directory has another one. */
static const char *name_of(const struct packing *p, const struct store_node *node)
{
	return node->number ? node->name : p->identity.name;
}

static bool add_symlink(
	void *context, struct store_walk *walk, const struct store_node *node, const char *target)
{
	struct packing *p = context;
	(void)walk;
	packing_attributes(p, node);
	packing_record_begin(
		p, record_of(node, OBJECT_SYMLINK, (uint32_t)node->size), NULL, name_of(p, node));
	buf_add(&p->records, target, (size_t)node->size);
	packing_record_end(p);
	return true;
}

static uint8_t special_type(mode_t type)
{
	return S_ISBLK(type)     ? OBJECT_BLOCK_DEVICE
		: S_ISCHR(type)  ? OBJECT_CHARACTER_DEVICE
		: S_ISFIFO(type) ? OBJECT_FIFO
				 : OBJECT_SOCKET;
}

static bool add_special(void *context, struct store_walk *walk, const struct store_node *node)
{
	struct packing *p = context;
	(void)walk;
	packing_attributes(p, node);
	packing_record_begin(p, record_of(node, special_type(node->type), 0), NULL, node->name);
	packing_record_end(p);
	return true;
}

static bool add_directory(void *context, struct store_walk *walk, const struct store_node *node)
{
	struct packing *p = context;
	(void)walk;
	if (p->enter_directory)
		p->enter_directory(p, node->number);
	return true;
}

static bool end_directory(
	void *context, struct store_walk *walk, const struct store_node *node, uint32_t entries)
{
	struct packing *p = context;
	(void)walk;
	packing_attributes(p, node);
	packing_record_begin(p, record_of(node, OBJECT_DIRECTORY, entries), NULL, name_of(p, node));
	packing_record_end(p);
	return true;
}

static bool add_file(void *context, struct store_walk *walk, const struct store_node *node, int fd)
{
	struct packing *p = context;
	packing_attributes(p, node);
	return p->add_file(
		p, walk->diag, fd, record_of(node, OBJECT_FILE, 0), node->size, name_of(p, node));
}

bool packing_unchanged(const struct packing *p, struct diag *diag)
{
	return strcmp(p->identity.nar_hash, p->nar_hash) == 0 ||
		diag_error(diag, STATUS_INPUT, NULL, "file-changed",
			"a file in %s changed while it was read", p->root);
}

static bool check(struct packing *p)
{
	nar_end(&p->walk.nar, p->nar_hash);
	if (p->whole)
		return packing_unchanged(p, p->walk.diag);
	return nar_check(p->walk.diag, p->root, p->identity.nar_hash, p->nar_hash);
}

bool packing_walk(struct packing *p, struct diag *diag, bool hashed)
{
	static const struct store_visitor visitor = {.directory = add_directory,
		.directory_end = end_directory,
		.symlink = add_symlink,
		.special = add_special,
		.file = add_file};
	p->walk = (struct store_walk){.diag = diag,
		.visitor = &visitor,
		.context = p,
		.hashed = hashed,
		.whole = p->whole};
	p->walked = store_walk_run(&p->walk, p->root) && (!hashed || check(p));
	store_walk_free(&p->walk);
	return p->walked;
}

/* SPDX-License-Identifier: MIT */
#include "compiler/linked/link_list.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/number.h"
#include "compiler/storage/runner_paths.h"
#include "compiler/storage/store_formats.h"

#define FIRST_LINE "mvmbuild link list 1"
#define HASH_LETTERS "0123456789abcdfghijklmnpqrsvwxyz"
#define NAME_LETTERS "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-._?="

enum {
	LIST_BYTES = 64 << 20,
	PATHS_MAX = 1 << 20,
	LEVEL_MAX = 22,
	BLOCK_MAX = 1 << 20,
	ALIGNMENT_MAX = 1 << 27,
	HASH_LENGTH = 32, /* of a store path's name */
	NAME_MAX_LENGTH = 255,
	NAR_HASH_DIGITS = 64,
	DISK_DIGITS = 64,
	/* a hash, a space, the name of a store path, a line feed */
	SHORTEST_LINE = NAR_HASH_DIGITS + HASH_LENGTH + 4,
};

/* ---- writing ---- */

static const char *truth(bool value)
{
	return value ? "true" : "false";
}

static void put_text(struct buf *out, const struct link_list *list)
{
	buf_printf(out,
		FIRST_LINE "\ntype %s\ncompression %s\nlevel %lld\nblockSize %lld\ntailPacking %s\n"
			   "verify %s\nalignment %lu\ntime %lu\nstoreDir %s\npaths %zu\n",
		store_type_names[list->type], compression_names[list->compression],
		(long long)list->level, (long long)list->block_size, truth(list->tail_packing),
		truth(list->verify), (unsigned long)list->alignment, (unsigned long)list->time,
		list->closure.store_dir, list->closure.n);
	for (size_t i = 0; i < list->closure.n; i++)
		buf_printf(out, "%s %s\n", list->closure.v[i].nar_hash, list->closure.v[i].name);
}

const char *link_list_text(struct arena *arena, const struct link_list *list)
{
	BUF_CLEANUP struct buf out = {0};
	put_text(&out, list);
	return arena_strdup(arena, buf_text(&out));
}

/* ---- reading ---- */

struct parser {
	struct arena *arena;
	struct diag *diag;
	const char *path;
	const char *at;
	bool good;
};

/* Takes the rest of the line that begins with `key` and a space; "" if it is another one. */
static const char *take(struct parser *parser, const char *key)
{
	const size_t length = strlen(key), line = strcspn(parser->at, "\n");
	const char *value = parser->at + length + 1;
	parser->good = parser->good && line > length && strncmp(parser->at, key, length) == 0 &&
		parser->at[length] == ' ' && parser->at[line] == '\n';
	if (!parser->good)
		return "";
	parser->at += line + 1;
	return arena_strndup(parser->arena, value, line - length - 1);
}

static int64_t take_number(struct parser *parser, const char *key, uint64_t max)
{
	uint64_t number = 0;
	const char *text = take(parser, key);
	parser->good = parser->good && number_parse(text, 0, max, &number);
	return (int64_t)number;
}

static bool take_truth(struct parser *parser, const char *key)
{
	const char *text = take(parser, key);
	const bool is_true = strcmp(text, "true") == 0;
	parser->good = parser->good && (is_true || strcmp(text, "false") == 0);
	return is_true;
}

/* Returns an index of `names`, which end with NULL. */
static unsigned take_name(struct parser *parser, const char *key, const char *const *names)
{
	const char *text = take(parser, key);
	for (unsigned i = 0; names[i]; i++)
		if (strcmp(names[i], text) == 0)
			return i;
	parser->good = false;
	return 0;
}

static bool is_store_dir(const char *path)
{
	const size_t length = strlen(path);
	return length > 1 && path[0] == '/' && path[length - 1] != '/' && !strstr(path, "//") &&
		!strstr(path, "/.") && strspn(path, NAME_LETTERS "/") == length;
}

/* HASH-NAME: no file is taken for a store path, whatever the directory is. */
static bool is_store_name(const char *name)
{
	const size_t length = strlen(name);
	return length > HASH_LENGTH + 1 && length <= NAME_MAX_LENGTH &&
		strspn(name, HASH_LETTERS) == HASH_LENGTH && name[HASH_LENGTH] == '-' &&
		strspn(name, NAME_LETTERS) == length;
}

static bool is_hash(const char *text)
{
	return strlen(text) == NAR_HASH_DIGITS &&
		strspn(text, "0123456789abcdef") == NAR_HASH_DIGITS;
}

/* A line is "HASH NAME"; names ascend. */
static bool take_path(
	struct parser *parser, const char *store_dir, const char *before, struct store_path *out)
{
	const size_t line = strcspn(parser->at, "\n");
	char *hash = arena_strndup(parser->arena, parser->at, line);
	char *name = strchr(hash, ' ');
	if (!name || parser->at[line] != '\n')
		return false;
	*name++ = '\0';
	if (!is_hash(hash) || !is_store_name(name) || strcmp(before, name) >= 0)
		return false;
	parser->at += line + 1;
	const char *path = path_join(parser->arena, store_dir, name);
	*out = (struct store_path){
		.path = path, .name = path_base(path), .nar_hash = hash, .nar_size = -1};
	return true;
}

static void take_paths(struct parser *parser, struct closure *closure)
{
	closure->store_dir = take(parser, "storeDir");
	parser->good = parser->good && is_store_dir(closure->store_dir);
	const size_t n = (size_t)take_number(parser, "paths", PATHS_MAX);
	parser->good = parser->good && n <= strlen(parser->at) / SHORTEST_LINE;
	if (!parser->good)
		return;
	struct store_path *paths = arena_alloc(parser->arena, (n + 1) * sizeof *paths);
	const char *before = "";
	for (size_t i = 0; i < n && parser->good; i++) {
		parser->good = take_path(parser, closure->store_dir, before, &paths[i]);
		before = parser->good ? paths[i].name : before;
	}
	closure->v = paths;
	closure->n = n;
	closure->source = parser->path;
}

/* Whether this program links such a disk. */
static bool is_possible(const struct link_list *list)
{
	const struct store_way *way = store_way_find(list->type, ENGINE_LINKED, list->compression);
	const int64_t block = list->block_size, unit = list->alignment;
	return way && (list->verify || way->can_trust) && block >= 4096 && !(block & (block - 1)) &&
		!(unit & (unit - 1));
}

static bool refuse(const struct parser *parser)
{
	return diag_error(parser->diag, STATUS_INPUT, NULL, "bad-link-list",
		"%s is not a link list that this mvmbuild reads: it is damaged, or was made by a "
		"newer version",
		parser->path);
}

bool link_list_parse(struct arena *arena, struct diag *diag, const char *path, const char *text,
	size_t length, struct link_list *out)
{
	static const char first[] = FIRST_LINE "\n";
	struct parser parser = {.arena = arena, .diag = diag, .path = path, .at = text};
	BUF_CLEANUP struct buf again = {0};
	*out = (struct link_list){0};
	parser.good = strncmp(text, first, strlen(first)) == 0;
	parser.at += parser.good ? strlen(first) : 0;
	out->type = (enum store_type)take_name(&parser, "type", store_type_names);
	out->compression = (enum compression)take_name(&parser, "compression", compression_names);
	out->level = take_number(&parser, "level", LEVEL_MAX);
	out->block_size = take_number(&parser, "blockSize", BLOCK_MAX);
	out->tail_packing = take_truth(&parser, "tailPacking");
	out->verify = take_truth(&parser, "verify");
	out->alignment = (uint32_t)take_number(&parser, "alignment", ALIGNMENT_MAX);
	out->time = (uint32_t)take_number(&parser, "time", UINT32_MAX);
	take_paths(&parser, &out->closure);
	if (!parser.good || !is_possible(out))
		return refuse(&parser);
	/* There is one way to write a list: a number with a sign or a surplus line is another. */
	put_text(&again, out);
	return (again.n == length && memcmp(again.p, text, length) == 0) || refuse(&parser);
}

/* ---- the list of a runner ---- */

static const char *disk_name(struct arena *arena, const struct bytes *text, const char *type)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	SHA256((const unsigned char *)text->p, text->n, digest);
	return arena_printf(arena, "%s.%s", arena_hex(arena, digest, sizeof digest), type);
}

bool link_list_read(struct arena *arena, struct diag *diag, const char *runner,
	struct link_list *out, const char **name)
{
	struct bytes text;
	const char *path = path_join(arena, runner, RUNNER_LINK_LIST);
	if (!path_exists(path))
		return diag_error(diag, STATUS_INPUT, NULL, "no-link-list",
			"%s has no %s: it is not a runner with storeDisk.link: host", runner,
			RUNNER_LINK_LIST);
	if (!file_read(arena, diag, path, LIST_BYTES, &text) ||
		!link_list_parse(arena, diag, path, text.p, text.n, out))
		return false;
	*name = disk_name(arena, &text, store_type_names[out->type]);
	return true;
}

/* Not parsed: a collection looks at the lists of all VMs. */
const char *link_list_disk(struct arena *arena, const char *runner)
{
	static const char first[] = FIRST_LINE "\ntype ";
	struct bytes text;
	const char *path = path_join(arena, runner, RUNNER_LINK_LIST);
	if (!path_is_regular_file(path) ||
		!file_read(arena, diag_new(arena), path, LIST_BYTES, &text) ||
		strncmp(text.p, first, strlen(first)) != 0)
		return NULL;
	const char *type = text.p + strlen(first);
	const char *name = disk_name(arena, &text, arena_strndup(arena, type, strcspn(type, "\n")));
	return link_list_is_disk(name) ? name : NULL;
}

bool link_list_is_disk(const char *name)
{
	if (strspn(name, "0123456789abcdef") != DISK_DIGITS || name[DISK_DIGITS] != '.')
		return false;
	for (unsigned i = 0; store_type_names[i]; i++)
		if (strcmp(name + DISK_DIGITS + 1, store_type_names[i]) == 0)
			return true;
	return false;
}

struct store_disk_request link_list_request(const struct link_list *list)
{
	return (struct store_disk_request){
		.format = store_formats[list->type].links,
		.closure = &list->closure,
		.compression = compression_names[list->compression],
		.level = (int)list->level,
		.block_size = (uint32_t)list->block_size,
		.tail_packing = list->tail_packing,
		.alignment = list->alignment,
		.trusted = !list->verify,
		.time = list->time,
	};
}

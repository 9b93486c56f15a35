/* SPDX-License-Identifier: MIT */
#include "imaging/erofs/mkfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/buf.h"
#include "base/process.h"

enum { CLUSTER_MIN = 4096, CLUSTER_MAX = 1 << 20 };

/* Compressors of mkfs.erofs, and their levels; 0: has no levels. */
static const struct {
	const char *name;
	int max_level;
} compressors[] = {{"lz4", 0}, {"lz4hc", 12}, {"lzma", 9}, {"deflate", 9}, {"zstd", 22}};

/* ---- version and abilities ---- */

/* "mkfs.erofs 1.5" or "mkfs.erofs (erofs-utils) 1.9.3" */
static bool read_version(struct arena *arena, const char *text, struct mkfs_erofs *out)
{
	const char *at = strstr(text, "mkfs.erofs ");
	int length = 0;
	if (at)
		at += strlen("mkfs.erofs ");
	if (at && *at == '(')
		at = strchr(at, ' ');
	if (!at || sscanf(at, " %u.%u%n", &out->major, &out->minor, &length) != 2 || !length)
		return false;
	at += strspn(at, " ");
	out->version = arena_strndup(arena, at, strcspn(at, " \n"));
	return !strchr(out->version, '/');
}

/* "Available compressors are: lz4hc, lz4" or "available compressors: lz4, lz4hc" */
static bool read_compressors(struct arena *arena, const char *text, struct mkfs_erofs *out)
{
	const char *at = strstr(text, "vailable compressors");
	at = at ? strchr(at, ':') : NULL;
	if (!at)
		return false;
	for (at++; *at && *at != '\n';) {
		at += strspn(at, " ,");
		const size_t length = strcspn(at, " ,\n");
		if (length)
			vec_push(arena, &out->compressors, arena_strndup(arena, at, length));
		at += length;
	}
	return true;
}

/* Returns standard output and standard error. */
static const char *answer(struct arena *arena, struct diag *diag, const char *question)
{
	const char *const argv[] = {"mkfs.erofs", question, NULL};
	struct process_result result;
	if (!process_run(arena, diag, argv, &result))
		return NULL;
	if (result.exit_status == 127) {
		diag_error(diag, STATUS_FAILED, NULL, "missing-program",
			"cannot find mkfs.erofs; install erofs-utils");
		return NULL;
	}
	return arena_printf(arena, "%s\n%s", result.output.p, result.error.p);
}

bool mkfs_erofs_is_at_least(const struct mkfs_erofs *tool, unsigned major, unsigned minor)
{
	return tool->major > major || (tool->major == major && tool->minor >= minor);
}

bool mkfs_erofs_find(struct arena *arena, struct diag *diag, struct mkfs_erofs *out)
{
	*out = (struct mkfs_erofs){0};
	/* Before 1.8 -V is an error, whose message has the same information in other words. */
	const char *text = answer(arena, diag, "-V");
	if (!text)
		return false;
	if (!read_version(arena, text, out) || !read_compressors(arena, text, out))
		return diag_error(diag, STATUS_FAILED, NULL, "mkfs.erofs",
			"mkfs.erofs does not print its version and compressors");
	if (!mkfs_erofs_is_at_least(out, 1, 8))
		return true;
	text = answer(arena, diag, "--help");
	out->has_workers = text && strstr(text, "--workers=");
	out->can_dereference = text && strstr(text, "--hard-dereference");
	return text;
}

/*
 * "\tliblz4.so.1 => /lib/x86_64-linux-gnu/liblz4.so.1 (0x00007f391fcf1000)": the real name of the
 * file usually contains the whole version.
 */
static void add_library(struct arena *arena, const char *line, size_t length, struct buf *out)
{
	static const char *const names[] = {
		"liblz4.", "liblzma.", "libz.", "libdeflate.", "libzstd."};
	struct stat st;
	const char *name = line + strspn(line, " \t"), *arrow = memmem(line, length, "=> /", 4);
	bool counts = false;
	for (size_t i = 0; i < countof(names); i++)
		counts |= strncmp(name, names[i], strlen(names[i])) == 0;
	if (!counts || !arrow)
		return;
	char *path = realpath(arena_strndup(arena, arrow + 3, strcspn(arrow + 3, " \n")), NULL);
	if (path && stat(path, &st) == 0)
		buf_printf(out, "%s %lld\n", path_base(path), (long long)st.st_size);
	free(path);
}

const char *mkfs_erofs_libraries(struct arena *arena, struct diag *diag)
{
	/* Makes the loader only print what it would load (ld.so(8)). */
	static const char *const argv[] = {
		"env", "LD_TRACE_LOADED_OBJECTS=1", "mkfs.erofs", "-V", NULL};
	struct process_result result;
	if (!process_run(arena, diag, argv, &result))
		return NULL;
	BUF_CLEANUP struct buf libraries = {0};
	for (const char *line = result.output.p; *line;
		line += strcspn(line, "\n") + (line[strcspn(line, "\n")] != '\0'))
		add_library(arena, line, strcspn(line, "\n"), &libraries);
	return libraries.n
		? arena_printf(arena, "%08x", (unsigned)XXH3_64bits(libraries.p, libraries.n))
		: "own";
}

/* ---- command line ---- */

static bool has_compressor(const struct mkfs_erofs *tool, const char *name)
{
	size_t i = 0;
	while (i < tool->compressors.n && strcmp(tool->compressors.v[i], name) != 0)
		i++;
	return i < tool->compressors.n;
}

static const char *list_compressors(struct arena *arena, const struct mkfs_erofs *tool)
{
	const char *text = "none";
	for (size_t i = 0; i < countof(compressors); i++)
		if (has_compressor(tool, compressors[i].name))
			text = arena_printf(arena, "%s, %s", compressors[i].name, text);
	return text;
}

static bool check_level(struct diag *diag, const struct store_disk_request *request, int max_level)
{
	if (request->level >= 0 && request->level <= max_level)
		return true;
	return diag_error(diag, STATUS_DESCRIPTION, request->compression_pos, "compression-level",
		max_level ? "mkfs.erofs: the %s level must be from 1 to %d, not %d"
			  : "mkfs.erofs: %s has no compression levels",
		request->compression, max_level, request->level);
}

static size_t find_compressor(const char *name)
{
	size_t i = 0;
	while (i < countof(compressors) && strcmp(compressors[i].name, name) != 0)
		i++;
	return i;
}

bool mkfs_erofs_check_settings(struct diag *diag, const struct store_disk_request *request)
{
	const uint32_t cluster = request->block_size;
	if (cluster &&
		(cluster < CLUSTER_MIN || cluster > CLUSTER_MAX || (cluster & (cluster - 1))))
		return diag_error(diag, STATUS_DESCRIPTION, NULL, "block-size",
			"the cluster size of erofs must be a power of two from 4 KiB to 1 MiB, not "
			"%u bytes",
			cluster);
	const size_t i = find_compressor(request->compression);
	return check_level(diag, request, i < countof(compressors) ? compressors[i].max_level : 0);
}

bool mkfs_erofs_check(struct arena *arena, struct diag *diag, const struct mkfs_erofs *tool,
	const struct store_disk_request *request)
{
	const bool compresses = strcmp(request->compression, "none") != 0;
	if (compresses &&
		(find_compressor(request->compression) == countof(compressors) ||
			!has_compressor(tool, request->compression)))
		return diag_error(diag, STATUS_DESCRIPTION, request->compression_pos,
			"unsupported-compression",
			"mkfs.erofs %s does not support the compression \"%s\"; it supports %s",
			tool->version, request->compression, list_compressors(arena, tool));
	return mkfs_erofs_check_settings(diag, request);
}

static void add_compression(
	struct arena *arena, const struct store_disk_request *request, struct strings *argv)
{
	if (strcmp(request->compression, "none") == 0)
		return;
	vec_push(arena, argv,
		request->level
			? arena_printf(arena, "-z%s,%d", request->compression, request->level)
			: arena_printf(arena, "-z%s", request->compression));
	if (request->block_size > CLUSTER_MIN)
		vec_push(arena, argv, arena_printf(arena, "-C%u", request->block_size));
	if (request->tail_packing)
		vec_push(arena, argv, "-Eztailpacking");
}

void mkfs_erofs_command(struct arena *arena, const struct mkfs_erofs *tool,
	const struct store_disk_request *request, unsigned workers, struct strings *argv)
{
	/*
	 * If this variable is set, mkfs.erofs makes extended inodes, which leave less room for
	 * tails.
	 */
	static const char *const start[] = {
		"env", "-u", "SOURCE_DATE_EPOCH", "mkfs.erofs", "--quiet", "-x-1"};
	strings_add(arena, argv, start, countof(start));
	vec_push(arena, argv, arena_printf(arena, "-T%u", request->time));
	if (mkfs_erofs_is_at_least(tool, 1, 7))
		vec_push(arena, argv, "-b4096");
	/*
	 * Since 1.8 the position of a large file's tail depends on its neighbours, and so on hard
	 * links to them.
	 */
	if (tool->can_dereference)
		vec_push(arena, argv, "--hard-dereference");
	if (tool->has_workers)
		vec_push(arena, argv, arena_printf(arena, "--workers=%u", workers));
	add_compression(arena, request, argv);
}

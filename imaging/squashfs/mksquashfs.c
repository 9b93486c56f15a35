/* SPDX-License-Identifier: MIT */
/*
 * mksquashfs: makes the same tree with squashfs-tools, for other compressors and as an oracle for
 * the linker. Written for 4.5 and later.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/process.h"
#include "imaging/disk/store_disk.h"
#include "imaging/store/nar_hash.h"
#include "imaging/store/store_root.h"
#include "imaging/store/store_walk.h"

enum { DEFAULT_BLOCK = 128 * 1024, DEFAULT_ZSTD_LEVEL = 3, ARGUMENTS_SPARE = 64 * 1024 };

struct command {
	struct arena *arena;
	struct strings argv;
};

static void add(struct command *command, const char *word)
{
	vec_push(command->arena, &command->argv, word);
}

__attribute__((format(printf, 3, 4))) static void add_pair(
	struct command *command, const char *option, const char *format, ...)
{
	va_list arguments;
	char value[128];
	va_start(arguments, format);
	vsnprintf(value, sizeof value, format, arguments);
	va_end(arguments);
	add(command, option);
	add(command, arena_strdup(command->arena, value));
}

/* ---- checks and counts that mksquashfs does not provide ---- */

static bool survey_closure(
	struct diag *diag, const struct closure *closure, struct store_disk_result *result)
{
	static const struct store_visitor no_visitor;
	bool ok = true;
	result->inodes = 2; /* the root and .links */
	for (size_t i = 0; ok && i < closure->n; i++) {
		struct store_walk walk = {.diag = diag, .visitor = &no_visitor};
		ok = store_walk_run(&walk, closure->v[i].path);
		result->inodes += walk.nodes;
		result->content_bytes += walk.content_bytes;
		store_walk_free(&walk);
	}
	return ok;
}

/* Runs after mksquashfs, so that files that changed before it read them are found. */
static bool verify_closure(struct diag *diag, const struct closure *closure)
{
	bool ok = true;
	for (size_t i = 0; ok && i < closure->n; i++)
		ok = nar_verify(diag, closure->v[i].path, closure->v[i].nar_hash);
	return ok;
}

/* ---- command line ---- */

/* Compressors of mksquashfs and their levels. */
static const struct {
	const char *name;
	int default_level, max_level; /* 0: has no levels */
} compressors[] = {
	{"gzip", 0, 9},
	{"lzo", 0, 9},
	{"lz4", 0, 0},
	{"xz", 0, 0},
	{"zstd", DEFAULT_ZSTD_LEVEL, 22},
	{"none", 0, 0},
};

static bool add_compression(
	struct command *command, struct diag *diag, const struct store_disk_request *request)
{
	const char *name = request->compression;
	size_t i = 0;
	while (i < countof(compressors) && strcmp(compressors[i].name, name) != 0)
		i++;
	if (i == countof(compressors))
		return diag_error(diag, STATUS_DESCRIPTION, NULL, "unsupported-compression",
			"mksquashfs does not support the compression \"%s\"; use gzip, lz4, lzo, "
			"xz, zstd or none",
			name);
	if (request->level < 0 || request->level > compressors[i].max_level)
		return diag_error(diag, STATUS_DESCRIPTION, NULL, "compression-level",
			compressors[i].max_level ? "the %s level must be from 1 to %d, not %d"
						 : "%s has no compression levels",
			name, compressors[i].max_level, request->level);
	if (strcmp(name, "none") == 0) {
		static const char *const off[] = {"-noI", "-noId", "-noD", "-noF", "-noX"};
		for (size_t k = 0; k < countof(off); k++)
			add(command, off[k]);
		return true;
	}
	add(command, "-comp");
	add(command, name);
	const int level = request->level ? request->level : compressors[i].default_level;
	if (level)
		add_pair(command, "-Xcompression-level", "%d", level);
	return true;
}

/*
 * -all-root would change the root's group too, so actions set the owners of everything below the
 * root, and remove the set-ID and sticky bits, which no store has. Names from the closure never
 * appear in options, so they are not taken for patterns.
 */
static void add_options(struct command *command, const struct store_disk_request *request)
{
	static const char *const fixed[] = {
		"-noappend",
		"-no-recovery",
		"-exit-on-error",
		"-no-progress",
		"-quiet",
		"-no-xattrs",
		"-no-exports",
		"-no-hardlinks",
		"-keep-as-directory",
		"-root-uid",
		"0",
		"-action",
		"guid(0,0)@depth(>0)",
		"-action",
		"chmod(a-s)@depth(>0)",
		"-action",
		"chmod(a-t)@depth(>0)",
	};
	for (size_t i = 0; i < countof(fixed); i++)
		add(command, fixed[i]);
	add_pair(command, "-root-mode", "%o", STORE_ROOT_MODE);
	add_pair(command, "-root-gid", "%d", STORE_ROOT_GID);
	add_pair(command, "-p", STORE_LINKS_NAME " d %o 0 0", STORE_LINKS_MODE);
	add_pair(command, "-all-time", "%u", request->time);
	add_pair(command, "-mkfs-time", "%u", request->time);
	add_pair(command, "-b", "%u", request->block_size ? request->block_size : DEFAULT_BLOCK);
	add_pair(command, "-processors", "%u", request->jobs ? request->jobs : 1);
	/* The default is a quarter of the machine's memory, which brings no gain. */
	add(command, "-mem");
	add(command, "256M");
}

static bool command_make(
	struct command *command, struct diag *diag, const struct store_disk_request *request)
{
	/* mksquashfs refuses options that set times if this variable is set. */
	add(command, "env");
	add(command, "-u");
	add(command, "SOURCE_DATE_EPOCH");
	add(command, "mksquashfs");
	for (size_t i = 0; i < request->closure->n; i++)
		add(command, request->closure->v[i].path);
	add(command, request->output);
	add_options(command, request);
	if (!add_compression(command, diag, request))
		return false;
	size_t bytes = ARGUMENTS_SPARE;
	for (size_t i = 0; i < command->argv.n; i++)
		bytes += strlen(command->argv.v[i]) + 1 + sizeof(char *);
	if (bytes > (size_t)sysconf(_SC_ARG_MAX))
		return diag_error(diag, STATUS_FAILED, NULL, "too-many-paths",
			"the closure's %zu paths are too many for one mksquashfs command; use the "
			"store disk's own linker",
			request->closure->n);
	add(command, NULL);
	return true;
}

static bool run(struct arena *arena, struct diag *diag, const struct store_disk_request *request)
{
	struct command command = {.arena = arena};
	struct process_result process;
	if (!command_make(&command, diag, request) ||
		!process_run(arena, diag, command.argv.v, &process))
		return false;
	if (process.exit_status == 127)
		return diag_error(diag, STATUS_FAILED, NULL, "missing-program",
			"cannot find mksquashfs; install squashfs-tools");
	if (process.exit_status != 0)
		return diag_error(diag, STATUS_FAILED, NULL, "mksquashfs",
			"mksquashfs failed with status %d: %s", process.exit_status,
			process_complaint(arena, &process));
	return true;
}

static bool finish(struct diag *diag, const struct store_disk_request *request,
	struct store_disk_result *result)
{
	struct stat st;
	if (chmod(request->output, 0644) != 0 || stat(request->output, &st) != 0)
		return diag_error(diag, STATUS_FAILED, NULL, "unwritable-file",
			"cannot write %s: %s", request->output, strerror(errno));
	result->image_bytes = (uint64_t)st.st_size;
	result->packed = request->closure->n;
	if (request->progress)
		request->progress(
			request->progress_context, result->content_bytes, result->content_bytes);
	return true;
}

static bool make_and_verify(struct arena *arena, struct diag *diag,
	const struct store_disk_request *request, struct store_disk_result *result)
{
	if (!survey_closure(diag, request->closure, result))
		return false;
	if (!run(arena, diag, request))
		return false;
	return verify_closure(diag, request->closure) && finish(diag, request, result);
}

bool store_disk_mksquashfs(struct diag *diag, const struct store_disk_request *request,
	struct store_disk_result *result)
{
	*result = (struct store_disk_result){0};
	if (path_exists(request->output))
		return diag_error(diag, STATUS_FAILED, NULL, "unwritable-file",
			"cannot create %s: %s", request->output, strerror(EEXIST));
	struct arena *arena = arena_new();
	bool ok = make_and_verify(arena, diag, request, result);
	if (!ok)
		unlink(request->output);
	arena_free(arena);
	return ok;
}

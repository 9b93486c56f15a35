/* SPDX-License-Identifier: MIT */
/*
 * mkfs_image: makes the whole image with mkfs.erofs, for features that single objects cannot have:
 * fragments and deduplicated blocks. The tree is sent as a tar stream, so nothing is staged.
 * Written for 1.7 and later.
 */
#include <archive.h>
#include <archive_entry.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/file.h"
#include "base/holes.h"
#include "base/process.h"
#include "imaging/erofs/format.h"
#include "imaging/erofs/mkfs.h"
#include "imaging/erofs/super.h"
#include "imaging/store/nar_hash.h"
#include "imaging/store/store_root.h"
#include "imaging/store/store_walk.h"

enum { COPY_BYTES = 256 * 1024 };

/* ---- the tree as a tar stream ---- */

struct sender {
	struct diag *diag;
	struct archive *tar;
	const struct store_disk_request *request;
	struct store_disk_result *result;
	size_t store; /* length of the store directory and slash before names in the image */
	unsigned char *copy;
	bool broken; /* the reader closed the pipe: its own error is more useful than ours */
};

static bool send_failed(struct sender *sender)
{
	sender->broken = true;
	return false;
}

static bool send_header(struct sender *sender, const char *name, mode_t mode, int64_t gid,
	uint64_t size, const char *target)
{
	struct archive_entry *entry = require_memory(archive_entry_new());
	archive_entry_copy_pathname(entry, name);
	archive_entry_set_mode(entry, mode);
	archive_entry_set_gid(entry, gid);
	archive_entry_set_mtime(entry, (time_t)sender->request->time, 0);
	archive_entry_set_size(entry, S_ISREG(mode) ? (int64_t)size : 0);
	if (target)
		archive_entry_copy_symlink(entry, target);
	const int status = archive_write_header(sender->tar, entry);
	archive_entry_free(entry);
	sender->result->inodes++;
	return status == ARCHIVE_OK || send_failed(sender);
}

static bool send_node(struct sender *sender, const struct store_walk *walk, mode_t mode,
	uint64_t size, const char *target)
{
	return send_header(sender, buf_text(&walk->path) + sender->store, mode, 0, size, target);
}

static bool send_directory(void *context, struct store_walk *walk, const struct store_node *node)
{
	return send_node(context, walk, S_IFDIR | node->mode, 0, NULL);
}

static bool send_symlink(
	void *context, struct store_walk *walk, const struct store_node *node, const char *target)
{
	return send_node(context, walk, S_IFLNK | node->mode, 0, target);
}

static bool send_file(void *context, struct store_walk *walk, const struct store_node *node, int fd)
{
	struct sender *sender = context;
	if (!send_node(sender, walk, S_IFREG | node->mode, node->size, NULL))
		return false;
	struct holes holes = holes_of(fd, node->size);
	for (uint64_t at = 0; at < node->size;) {
		const uint64_t left = node->size - at;
		const size_t n = left < COPY_BYTES ? (size_t)left : COPY_BYTES;
		if (!holes_read(&holes, sender->copy, n, at))
			return store_walk_failed(walk);
		store_walk_content(walk, sender->copy, n);
		if (archive_write_data(sender->tar, sender->copy, n) != (ssize_t)n)
			return send_failed(sender);
		at += n;
	}
	return true;
}

static bool send_path(struct sender *sender, const struct store_path *path)
{
	static const struct store_visitor visitor = {
		.directory = send_directory, .symlink = send_symlink, .file = send_file};
	struct store_walk walk = {.diag = sender->diag,
		.visitor = &visitor,
		.context = sender,
		.hashed = path->nar_hash};
	char hash[NAR_HASH_DIGITS + 1];
	sender->store = (size_t)(path->name - path->path);
	bool ok = store_walk_run(&walk, path->path);
	if (ok && path->nar_hash) {
		nar_end(&walk.nar, hash);
		ok = nar_check(sender->diag, path->path, path->nar_hash, hash);
	}
	sender->result->content_bytes += walk.content_bytes;
	store_walk_free(&walk);
	return ok;
}

static bool send_closure(struct sender *sender)
{
	const struct closure *closure = sender->request->closure;
	bool ok = send_header(sender, ".", S_IFDIR | STORE_ROOT_MODE, STORE_ROOT_GID, 0, NULL) &&
		send_header(sender, STORE_LINKS_NAME, S_IFDIR | STORE_LINKS_MODE, 0, 0, NULL);
	for (size_t i = 0; ok && i < closure->n; i++)
		ok = send_path(sender, &closure->v[i]);
	return ok && (archive_write_close(sender->tar) == ARCHIVE_OK || send_failed(sender));
}

/* Returns true also if the reader closed the pipe. Closes `fd`. */
static bool send_tar(struct diag *diag, const struct store_disk_request *request,
	struct store_disk_result *result, int fd)
{
	struct sender sender = {.diag = diag,
		.tar = require_memory(archive_write_new()),
		.request = request,
		.result = result,
		.copy = require_memory(malloc(COPY_BYTES))};
	/* stores names unchanged, whereas pax requires UTF-8 */
	archive_write_set_format_gnutar(sender.tar);
	archive_write_set_bytes_in_last_block(sender.tar, 1);
	const bool ok =
		archive_write_open_fd(sender.tar, fd) == ARCHIVE_OK && send_closure(&sender);
	archive_write_free(sender.tar);
	close(fd);
	free(sender.copy);
	return ok || sender.broken;
}

/* ---- the image ---- */

/* Derives the UUID from names and hashes in the closure. */
static const char *uuid_of(struct arena *arena, const struct closure *closure)
{
	XXH3_state_t *state = require_memory(XXH3_createState());
	XXH3_128bits_reset(state);
	for (size_t i = 0; i < closure->n; i++) {
		const struct store_path *path = &closure->v[i];
		XXH3_128bits_update(state, path->name, strlen(path->name) + 1);
		if (path->nar_hash)
			XXH3_128bits_update(state, path->nar_hash, strlen(path->nar_hash));
	}
	const XXH128_hash_t hash = XXH3_128bits_digest(state);
	XXH3_freeState(state);
	return arena_printf(arena, "%08x-%04x-8%03x-%04x-%012llx", (unsigned)(hash.high64 >> 32),
		(unsigned)(hash.high64 >> 16 & 0xffff), (unsigned)(hash.high64 & 0xfff),
		(unsigned)(hash.low64 >> 48 & 0x3fff) | 0x8000,
		(unsigned long long)(hash.low64 & 0xffffffffffff));
}

/*
 * mkfs.erofs does not avoid inode counts that look like a MINIX magic number. *found: the original
 * count.
 */
static bool correct_count(int fd, uint64_t *found)
{
	unsigned char block[EROFS_BLOCK];
	struct erofs_super super;
	if (!fd_read_all(fd, block, sizeof block, 0))
		return false;
	memcpy(&super, block + EROFS_SUPER_OFFSET, sizeof super);
	*found = le64toh(super.inodes);
	const uint64_t inodes = erofs_inode_count(*found);
	if (inodes == *found)
		return true;
	super.inodes = htole64(inodes);
	memcpy(block + EROFS_SUPER_OFFSET, &super, sizeof super);
	erofs_super_sum(block);
	return fd_write_all(fd, block, sizeof block, 0);
}

static bool complete(struct diag *diag, const struct store_disk_request *request,
	struct store_disk_result *result)
{
	struct stat st;
	uint64_t found;
	FD_CLEANUP int fd = open(request->output, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fchmod(fd, 0644) != 0 || !correct_count(fd, &found) || fstat(fd, &st) != 0)
		return diag_error(diag, STATUS_FAILED, NULL, "unwritable-file",
			"cannot write %s: %s", request->output, strerror(errno));
	/* mkfs.erofs ends the stream at a header that it does not understand. */
	if (found < result->inodes)
		return diag_error(diag, STATUS_FAILED, NULL, "mkfs.erofs",
			"mkfs.erofs omitted %llu of %llu files",
			(unsigned long long)(result->inodes - found),
			(unsigned long long)result->inodes);
	result->image_bytes = (uint64_t)st.st_size;
	result->packed = request->closure->n;
	if (request->progress)
		request->progress(
			request->progress_context, result->content_bytes, result->content_bytes);
	return true;
}

static bool check_tool(struct arena *arena, struct diag *diag,
	const struct store_disk_request *request, struct mkfs_erofs *tool)
{
	if (!mkfs_erofs_find(arena, diag, tool))
		return false;
	if (!mkfs_erofs_is_at_least(tool, 1, 7))
		return diag_error(diag, STATUS_DESCRIPTION, request->compression_pos, "mkfs.erofs",
			"mkfs.erofs %s cannot read a tar stream, which an image with %s needs; "
			"install 1.7 or later",
			tool->version,
			request->nfeatures ? request->features[0] : "the engine mkfs.erofs");
	return mkfs_erofs_check(arena, diag, tool, request);
}

static void command_make(struct arena *arena, const struct mkfs_erofs *tool,
	const struct store_disk_request *request, struct strings *argv)
{
	mkfs_erofs_command(arena, tool, request, request->jobs ? request->jobs : 1, argv);
	for (size_t i = 0; i < request->nfeatures; i++)
		vec_push(arena, argv, arena_printf(arena, "-E%s", request->features[i]));
	vec_push(arena, argv, "-L" EROFS_STORE_LABEL);
	vec_push(arena, argv, arena_printf(arena, "-U%s", uuid_of(arena, request->closure)));
	vec_push(arena, argv, "--tar=f");
	vec_push(arena, argv, request->output);
	vec_push(arena, argv, NULL);
}

static bool run(struct arena *arena, struct diag *diag, const struct store_disk_request *request,
	struct store_disk_result *result)
{
	struct mkfs_erofs tool;
	struct strings argv = {0};
	struct process_result process;
	int feed;
	if (!check_tool(arena, diag, request, &tool))
		return false;
	command_make(arena, &tool, request, &argv);
	struct process *mkfs = process_start(diag, argv.v, &feed);
	if (!mkfs)
		return false;
	if (!send_tar(diag, request, result, feed)) {
		process_kill(mkfs);
		return false;
	}
	if (!process_end(arena, diag, mkfs, &process))
		return false;
	return process.exit_status == 0 ||
		diag_error(diag, STATUS_FAILED, NULL, "mkfs.erofs",
			"mkfs.erofs failed with status %d: %s", process.exit_status,
			process_complaint(arena, &process));
}

bool store_disk_mkfs_erofs(struct diag *diag, const struct store_disk_request *request,
	struct store_disk_result *result)
{
	*result = (struct store_disk_result){0};
	if (path_exists(request->output))
		return diag_error(diag, STATUS_FAILED, NULL, "unwritable-file",
			"cannot create %s: %s", request->output, strerror(EEXIST));
	struct arena *arena = arena_new();
	const bool ok = run(arena, diag, request, result) && complete(diag, request, result);
	if (!ok)
		unlink(request->output);
	arena_free(arena);
	return ok;
}

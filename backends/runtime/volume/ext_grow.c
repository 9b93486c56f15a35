/* SPDX-License-Identifier: MIT */
/*
 * An ext file system grows beside the image: e2fsck and resize2fs work on a sparse copy of its
 * metadata, which is small. What they changed there becomes a log, IMAGE.grow, and only then, step
 * by step, the image: nothing else writes to it. Killed before the log has its name, the image is
 * as it was; killed after that, or without power in the middle of a block, the next start carries
 * the log out.
 *
 * A journal that a guest left is carried out first, by a log of its own: until then the image's
 * metadata are those of before, and the copy would lack what only the journal knows of.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/runtime/base/child.h"
#include "backends/runtime/volume/volume.h"
#include "backends/runtime/volume/write_log.h"

enum {
	FSCK_REPAIRED = 3, /* status bits of e2fsck: errors corrected, and a wish to reboot */
	SUPERBLOCK = 1024,
	SUPERBLOCK_BYTES = 1024,
};

/* ---- tools ---- */

static bool program_exists(const char *name)
{
	char *path = text("%s", getenv("PATH")), *rest = path;
	bool found = false;
	for (const char *directory; !found && (directory = strsep(&rest, ":"));) {
		char *program = text("%s/%s", *directory ? directory : ".", name);
		found = access(program, X_OK) == 0;
		free(program);
	}
	free(path);
	return found;
}

bool ext_can_grow(struct reason *why)
{
	static const char *const tools[] = {"e2fsck", "e2image", "resize2fs"};
	path_extend();
	for (size_t i = 0; i < sizeof tools / sizeof *tools; i++)
		if (!program_exists(tools[i]))
			return reason_set(why,
				"%s is needed to make it larger, from e2fsprogs, in PATH or "
				"hostPath",
				tools[i]);
	return true;
}

#define TOOL(highest_status, why, ...) \
	child_work((const char *const[]){__VA_ARGS__, NULL}, (highest_status), (why))

/* ---- the copy ---- */

/*
 * A directory beside the image. Who has the lock of the image has this too: what is there is from a
 * start that was killed.
 */
struct shadow {
	char *directory, *before, *after, *log;
};

static const char *const shadow_files[] = {"before", "after", "log"};

static void shadow_remove(const char *directory)
{
	for (size_t i = 0; i < sizeof shadow_files / sizeof *shadow_files; i++) {
		char *file = text("%s/%s", directory, shadow_files[i]);
		unlink(file);
		free(file);
	}
	rmdir(directory);
}

static bool shadow_make(struct shadow *shadow, const char *image, struct reason *why)
{
	shadow->directory = text("%s.grow.new", image);
	shadow->before = text("%s/%s", shadow->directory, shadow_files[0]);
	shadow->after = text("%s/%s", shadow->directory, shadow_files[1]);
	shadow->log = text("%s/%s", shadow->directory, shadow_files[2]);
	shadow_remove(shadow->directory);
	return mkdir(shadow->directory, 0700) == 0 ||
		reason_set(why, "cannot make %s: %s", shadow->directory, strerror(errno));
}

static void shadow_end(struct shadow *shadow)
{
	shadow_remove(shadow->directory);
	free(shadow->directory);
	free(shadow->before);
	free(shadow->after);
	free(shadow->log);
}

/* ---- the layout ---- */

/* What of a file system's layout decides whether it can grow in place. */
struct layout {
	uint64_t blocks, groups;
	/* behind each superblock: those in use, and those kept free for growth */
	uint64_t descriptor_blocks;
	uint64_t largest; /* bytes of it, with as many groups as these describe */
	/* the last: of a group's inodes */
	uint32_t block_bytes, first_block, descriptor_bytes, table_bytes;
	bool known;
};

static uint64_t number(const unsigned char *field, int bytes)
{
	uint64_t value = 0;
	while (bytes--)
		value = value << 8 | field[bytes];
	return value;
}

static struct layout layout_read(int image)
{
	enum { META_BG = 0x10, WIDE = 0x80, LOG_BLOCK_MAX = 6, NARROW_BYTES = 32 };
	unsigned char super[SUPERBLOCK_BYTES];
	struct layout layout = {.known = false};
	if (pread(image, super, sizeof super, SUPERBLOCK) != sizeof super)
		return layout;
	uint32_t incompatible = (uint32_t)number(super + 0x60, 4),
		 per_group = (uint32_t)number(super + 0x20, 4);
	bool wide = incompatible & WIDE;
	if ((incompatible & META_BG) || !per_group || number(super + 0x18, 4) > LOG_BLOCK_MAX)
		return layout;
	layout.block_bytes = UINT32_C(1024) << number(super + 0x18, 4);
	layout.first_block = (uint32_t)number(super + 0x14, 4);
	layout.descriptor_bytes = wide ? (uint32_t)number(super + 0xfe, 2) : NARROW_BYTES;
	layout.table_bytes = (uint32_t)(number(super + 0x28, 4) * number(super + 0x58, 2));
	layout.blocks = number(super + 4, 4) | (wide ? number(super + 0x150, 4) << 32 : 0);
	layout.groups = (layout.blocks - layout.first_block + per_group - 1) / per_group;
	layout.known = layout.descriptor_bytes >= NARROW_BYTES &&
		layout.descriptor_bytes <= layout.block_bytes;
	if (layout.known) {
		uint64_t per_block = layout.block_bytes / layout.descriptor_bytes;
		layout.descriptor_blocks =
			(layout.groups + per_block - 1) / per_block + number(super + 0xce, 2);
		layout.largest =
			(layout.descriptor_blocks * per_block * per_group + layout.first_block) *
			layout.block_bytes;
	}
	return layout;
}

/*
 * What the superblock says that matters before: fields s_feature_compat, _incompat and _ro_compat.
 */
struct features {
	bool recovery; /* a journal is to be carried out */
	bool fast_commit;
	bool in_files; /* quotas, and attributes that are files: e2fsck reads these */
};

static struct features features_read(int image)
{
	enum { FAST_COMMIT = 0x400, RECOVERY = 0x4, EA_INODE = 0x400, QUOTA = 0x100 };
	unsigned char super[SUPERBLOCK_BYTES] = {0};
	if (pread(image, super, sizeof super, SUPERBLOCK) != sizeof super)
		return (struct features){.recovery = false};
	return (struct features){
		.recovery = number(super + 0x60, 4) & RECOVERY,
		.fast_commit = number(super + 0x5c, 4) & FAST_COMMIT,
		.in_files =
			(number(super + 0x60, 4) & EA_INODE) || (number(super + 0x64, 4) & QUOTA),
	};
}

/*
 * The bitmaps and inode tables of new groups may come to lie where a file was deleted, among the
 * old ones: they are new there to the last byte, zeros as well.
 */
static bool new_tables(int after, const struct layout *old, const struct layout *new,
	struct change *change, struct reason *why)
{
	enum { TABLES = 3 };
	size_t count = (size_t)(new->groups - old->groups), bytes = count * new->descriptor_bytes;
	unsigned char *descriptors = memory(calloc(count + 1, new->descriptor_bytes));
	struct range *ranges = memory(calloc(count + 1, TABLES * sizeof *ranges));
	off_t place = (off_t)((uint64_t)(new->first_block + 1) * new->block_bytes +
		old->groups *new->descriptor_bytes);
	bool ok = pread(after, descriptors, bytes, place) == (ssize_t)bytes;
	for (size_t i = 0; ok && i < count * TABLES; i++) {
		const unsigned char *field =
			descriptors + i / TABLES * new->descriptor_bytes + i % TABLES * 4;
		uint64_t block = number(field, 4) |
			(new->descriptor_bytes >= 64 ? number(field + 0x20, 4) << 32 : 0);
		if (block < old->blocks)
			ranges[change->nranges++] = (struct range){block * new->block_bytes,
				i % TABLES == TABLES - 1 ? new->table_bytes : new->block_bytes};
	}
	change->ranges = ranges;
	free(descriptors);
	return ok || reason_set(why, "cannot read the copy of its metadata: %s", strerror(errno));
}

/* ---- growing ---- */

/* Copies what is data in a sparse file. */
static bool sparse_copy(int from, int to)
{
	off_t at = 0, end;
	while ((at = lseek(from, at, SEEK_DATA)) >= 0 && (end = lseek(from, at, SEEK_HOLE)) > at) {
		off_t target = at;
		while (at < end) {
			ssize_t copied =
				copy_file_range(from, &at, to, &target, (size_t)(end - at), 0);
			if (copied <= 0)
				return false;
		}
	}
	return at < 0 && errno == ENXIO;
}

/* What is done to the copy, whose `before` and `after` are open and alike. */
typedef bool shadow_work(const struct shadow *shadow, const struct volume *volume,
	struct change *change, struct reason *why);

static bool must_be_mended(const struct volume *volume, struct reason *why)
{
	return reason_set(why, "its file system has to be mended before it can grow: e2fsck -fp %s",
		volume->path);
}

/* The copy has the journal, but not what fast commits refer to. */
static bool journal_replay(const struct shadow *shadow, const struct volume *volume,
	struct change *change, struct reason *why)
{
	if (features_read(change->before).fast_commit)
		return must_be_mended(volume, why);
	return TOOL(FSCK_REPAIRED, why, "e2fsck", "-p", "-E", "journal_only", shadow->after);
}

/*
 * On the image itself e2fsck only looks. Small errors it mends in the copy, unless what it judges
 * by is in the files, which the copy does not have. That the file system was checked some time ago
 * is all that resize2fs then wants, so it is told not to ask.
 */
static bool file_system_resize(const struct shadow *shadow, const struct volume *volume,
	const struct change *change, struct reason *why)
{
	if (child_succeeds((const char *const[]){"e2fsck", "-fn", volume->path, NULL}))
		return TOOL(0, why, "resize2fs", "-f", shadow->after);
	if (features_read(change->before).in_files)
		return must_be_mended(volume, why);
	return TOOL(FSCK_REPAIRED, why, "e2fsck", "-fp", shadow->after) &&
		TOOL(0, why, "resize2fs", shadow->after);
}

/*
 * Where it would have to move the guest's data, which is not in the copy, the image is left alone.
 */
static bool shadow_grow(const struct shadow *shadow, const struct volume *volume,
	struct change *change, struct reason *why)
{
	if (ftruncate(change->after, (off_t)volume->wanted) != 0)
		return reason_set(why, "cannot write %s: %s", shadow->after, strerror(errno));
	/*
	 * What is behind the end is a hole: its inode tables are empty, nothing is left for the
	 * guest to do.
	 */
	setenv("RESIZE2FS_FORCE_ITABLE_INIT", "1", 1);
	if (!file_system_resize(shadow, volume, change, why))
		return false;
	struct layout old = layout_read(change->before), new = layout_read(change->after);
	if (!old.known || !new.known || old.descriptor_blocks != new.descriptor_blocks)
		return reason_set(why,
			"it cannot grow without moving its data: make a new, larger one and copy");
	return TOOL(0, why, "e2fsck", "-fn", shadow->after) &&
		new_tables(change->after, &old, &new, change, why);
}

/* As large as the image, which may be larger than its file system. */
static bool shadow_copy(const struct shadow *shadow, const struct volume *volume,
	const struct change *change, struct reason *why)
{
	if (sparse_copy(change->before, change->after) &&
		ftruncate(change->after, (off_t)volume->bytes) == 0)
		return true;
	return reason_set(why, "cannot write %s: %s", shadow->after, strerror(errno));
}

static bool shadow_log(const struct shadow *shadow, const struct volume *volume, shadow_work *work,
	struct reason *why)
{
	struct change change = {
		.image = volume->fd,
		.before = open(shadow->before, O_RDONLY | O_CLOEXEC),
		.after = open(shadow->after, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600),
	};
	bool ok = change.before >= 0 && change.after >= 0;
	if (!ok)
		reason_set(why, "cannot open %s: %s",
			change.before < 0 ? shadow->before : shadow->after, strerror(errno));
	ok = ok && shadow_copy(shadow, volume, &change, why) &&
		work(shadow, volume, &change, why) && patch_write(shadow->log, &change, why);
	if (change.before >= 0)
		close(change.before);
	if (change.after >= 0)
		close(change.after);
	free(change.ranges);
	return ok;
}

/* From the moment that the log has its name, it is going to happen. */
static bool log_publish(const struct shadow *shadow, const char *image, struct reason *why)
{
	char *log = text("%s.grow", image);
	bool ok = rename(shadow->log, log) == 0 && directory_sync(image);
	if (!ok)
		reason_set(why, "cannot make %s: %s", log, strerror(errno));
	free(log);
	return ok;
}

bool ext_is_unclean(int image)
{
	unsigned char sign[2];
	return pread(image, sign, sizeof sign, SUPERBLOCK + 0x38) == sizeof sign &&
		number(sign, 2) == 0xef53 && features_read(image).recovery;
}

static bool log_make(const struct volume *volume, shadow_work *work, struct reason *why)
{
	struct shadow shadow;
	bool ok = shadow_make(&shadow, volume->path, why) &&
		TOOL(0, why, "e2image", "-r", volume->path, shadow.before) &&
		shadow_log(&shadow, volume, work, why) && log_publish(&shadow, volume->path, why);
	shadow_end(&shadow);
	return ok;
}

bool ext_finish(const struct volume *volume, struct reason *why)
{
	char *log = text("%s.grow", volume->path);
	bool ok = true;
	if (access(log, F_OK) == 0) {
		char *shadow = text("%s.grow.new", volume->path);
		shadow_remove(shadow);
		free(shadow);
		ok = patch_apply(log, volume->fd, why) != PATCH_FAILED;
		if (ok && (unlink(log) != 0 || !directory_sync(log)))
			ok = reason_set(why, "cannot remove %s: %s", log, strerror(errno));
	}
	free(log);
	return ok;
}

bool ext_grow(struct volume *volume, struct reason *why)
{
	struct layout layout = layout_read(volume->fd);
	if (layout.known && volume->wanted > layout.largest)
		return reason_set(why,
			"it can grow to %" PRIu64
			" MiB at most without moving its data: make a new, larger one and copy",
			layout.largest >> 20);
	if (features_read(volume->fd).recovery &&
		(!log_make(volume, journal_replay, why) || !ext_finish(volume, why)))
		return false;
	return log_make(volume, shadow_grow, why) && ext_finish(volume, why);
}

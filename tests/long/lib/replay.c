/* SPDX-License-Identifier: MIT */
/*
 * Computes the states that a disk may have after a power cut, from a log of all writes to it.
 *
 *     replay all LOG START IMAGE
 *         writes the disk's final state to IMAGE
 *     replay points LOG START IMAGE SECTORS COUNT SEED PART/PARTS COMMAND...
 *         writes each of COUNT states to IMAGE and runs COMMAND... MARK POINT for it
 *
 * A disk may lose any of the writes between two flushes. So a point consists of all writes before a
 * flush and a subset of those between it and the next flush: none; about half of the writes; the
 * first or the last ones; all but one; or about half of the sectors, where the disk tears a block
 * of its file system. The selected points are spread evenly over the log and depend only on SEED; a
 * process takes every PARTS-th of them. SECTORS is the size of the file system. The disk is larger:
 * a write to the Nth block of 4096 bytes behind the file system is mark N, with which the guest
 * reports its progress. COMMAND gets the highest mark that had been written at that point. Prints
 * "bad POINT mark MARK" when COMMAND fails, and "points N bad N" at the end. The exit status is 0
 * if no point is bad.
 *
 * The log has the format of Linux's dm-log-writes, as written by QEMU's blklogwrites driver
 * (drivers/md/dm-log-writes.c, block/blklogwrites.c): one sector with the superblock, then for each
 * request one sector with its header, followed by its data. All numbers are little endian.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAGIC UINT64_C(0x6a736677736872)
enum { SECTOR = 512, BLOCK = 4096, FLUSH = 1, FUA = 2, DISCARD = 4, NAME_BYTES = 64 };

struct super {
	uint64_t magic, version, entries;
	uint32_t sector_bytes;
};

struct head {
	uint64_t sector, count, flags, data_bytes;
};

struct entry {
	uint64_t sector, count, flags;
	off_t data; /* offset in the log */
};

/* The writes between two flushes. */
struct interval {
	size_t first, end; /* indices of entries */
	uint64_t mark;     /* highest mark written so far */
};

struct log {
	int fd;
	struct entry *entries;
	struct interval *intervals;
	size_t nentries, nintervals;
};

enum kind { NOTHING, HALF, OTHER_HALF, FIRST, LAST, ALL_BUT_ONE, TORN, KINDS };
static const char *const kind_names[] = {
	"nothing", "half", "other-half", "first", "last", "all-but-one", "torn"};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "replay: %s: %s\n", what, errno ? strerror(errno) : "wrong");
	exit(2);
}

static int file_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);
	if (fd < 0)
		fail(path);
	return fd;
}

static void *grown(void *v, size_t n, size_t bytes)
{
	if (n & (n - 1)) /* double the capacity at each power of two */
		return v;
	v = realloc(v, (n ? 2 * n : 1) * bytes);
	if (!v)
		fail("memory");
	return v;
}

/* ---- the log ---- */

static void interval_begin(struct log *log)
{
	uint64_t mark = log->nintervals ? log->intervals[log->nintervals - 1].mark : 0;
	log->intervals = grown(log->intervals, log->nintervals, sizeof *log->intervals);
	log->intervals[log->nintervals++] = (struct interval){log->nentries, log->nentries, mark};
}

/* Writes at or beyond `sectors` are marks, not data; with 0, there are no marks. */
static void entry_add(struct log *log, const struct head *head, off_t data, uint64_t sectors)
{
	/* A request with the flush flag flushes the disk before it writes its own data. */
	if (head->flags & FLUSH)
		interval_begin(log);
	struct interval *now = &log->intervals[log->nintervals - 1];
	if (sectors && head->sector >= sectors && head->count) {
		uint64_t mark = (head->sector - sectors) / (BLOCK / SECTOR);
		now->mark = mark > now->mark ? mark : now->mark;
	} else if (head->count) {
		log->entries = grown(log->entries, log->nentries, sizeof *log->entries);
		log->entries[log->nentries++] =
			(struct entry){head->sector, head->count, head->flags, data};
		now->end = log->nentries;
	}
}

static void log_read(struct log *log, const char *path, uint64_t sectors)
{
	struct super super;
	struct head head;
	*log = (struct log){.fd = file_open(path, O_RDONLY)};
	errno = 0;
	if (pread(log->fd, &super, sizeof super, 0) != sizeof super || super.magic != MAGIC ||
		super.sector_bytes != SECTOR)
		fail("the log's superblock");
	interval_begin(log);
	/*
	 * The superblock's count is as of the last flush, so more entries may follow. A hole
	 * (zeros) comes after the last entry.
	 */
	for (off_t at = SECTOR; pread(log->fd, &head, sizeof head, at) == sizeof head &&
		(head.count || head.flags);) {
		at += SECTOR;
		entry_add(log, &head, at, sectors);
		if (!(head.flags & DISCARD))
			at += (off_t)(head.count * SECTOR);
	}
}

/* ---- images ---- */

/* Zeros become holes, to save space: many copies of the image exist. */
static void bytes_put(int image, const unsigned char *bytes, size_t n, off_t at)
{
	static const unsigned char zeros[BLOCK];
	for (size_t done = 0, part; done < n; done += part) {
		part = BLOCK - (size_t)(at + (off_t)done) % BLOCK;
		part = part < n - done ? part : n - done;
		bool hole = memcmp(bytes + done, zeros, part) == 0 &&
			fallocate(image, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				at + (off_t)done, (off_t)part) == 0;
		if (!hole && pwrite(image, bytes + done, part, at + (off_t)done) != (ssize_t)part)
			fail("writing an image");
	}
}

static unsigned char *entry_data(const struct log *log, const struct entry *entry)
{
	size_t n = entry->count * SECTOR;
	unsigned char *bytes = calloc(1, n);
	if (!bytes)
		fail("memory");
	if (!(entry->flags & DISCARD) && pread(log->fd, bytes, n, entry->data) < 0)
		fail("reading the log");
	return bytes;
}

static void entry_put(const struct log *log, const struct entry *entry, int image)
{
	unsigned char *bytes = entry_data(log, entry);
	bytes_put(image, bytes, entry->count * SECTOR, (off_t)entry->sector * SECTOR);
	free(bytes);
}

static void file_copy(int from, int to)
{
	off_t at = 0, end;
	struct stat st;
	if (ftruncate(to, 0) != 0 || fstat(from, &st) != 0 || ftruncate(to, st.st_size) != 0)
		fail("making an image");
	while ((at = lseek(from, at, SEEK_DATA)) >= 0 && (end = lseek(from, at, SEEK_HOLE)) > at)
		for (off_t target = at; at < end;)
			if (copy_file_range(from, &at, to, &target, (size_t)(end - at), 0) <= 0)
				fail("copying an image");
}

/* ---- points ---- */

/* xorshift64*, for the same numbers on every machine. */
static uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

static bool coin(uint64_t *state)
{
	return random_next(state) >> 63;
}

/* The superblocks of ext4 and btrfs, which these file systems expect to be written atomically. */
static bool goes_with_the_last(uint64_t sector)
{
	return sector == 3 || (sector > 128 && sector < 136);
}

static void entry_tear(const struct log *log, const struct entry *entry, int image, uint64_t *state)
{
	unsigned char *bytes = entry_data(log, entry);
	bool lands = false;
	for (uint64_t i = 0; i < entry->count; i++) {
		if (i == 0 || !goes_with_the_last(entry->sector + i))
			lands = coin(state);
		if (lands)
			bytes_put(image, bytes + i * SECTOR, SECTOR,
				(off_t)(entry->sector + i) * SECTOR);
	}
	free(bytes);
}

static void point_make(const struct log *log, const struct interval *interval, enum kind kind,
	int image, uint64_t state)
{
	size_t n = interval->end - interval->first, cut = n ? random_next(&state) % n : 0;
	for (size_t i = 0; i < n; i++) {
		const struct entry *entry = &log->entries[interval->first + i];
		bool lands[KINDS] = {
			[HALF] = coin(&state),
			[OTHER_HALF] = coin(&state),
			[FIRST] = i < cut,
			[LAST] = i >= cut,
			[ALL_BUT_ONE] = i != cut,
		};
		if (lands[kind] || (entry->flags & FUA))
			entry_put(log, entry, image);
		else if (kind == TORN)
			entry_tear(log, entry, image, &state);
	}
}

/*
 * The kind of loss with this number at an interval. With a single write, only "nothing" and "torn"
 * differ.
 */
static enum kind kinds_at(const struct interval *interval, size_t number)
{
	static const enum kind one[] = {NOTHING, TORN};
	return interval->end - interval->first > 1 ? (enum kind)number : one[number];
}

static size_t kinds_count(const struct interval *interval)
{
	size_t writes = interval->end - interval->first;
	return writes == 0 ? 1 : writes == 1 ? 2 : KINDS;
}

static bool command_run(char *const argv[])
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		execvp(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		fail(argv[0]);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

struct walk {
	const struct log *log;
	int durable, image;
	uint64_t seed, count, part, parts, total;
	uint64_t points, bad;
	char **command;
	int ncommand;
};

static void point_look(struct walk *walk, size_t number, enum kind kind)
{
	const struct interval *interval = &walk->log->intervals[number];
	char mark[NAME_BYTES], name[NAME_BYTES];
	file_copy(walk->durable, walk->image);
	point_make(walk->log, interval, kind, walk->image,
		(walk->seed * 1000003 + number * KINDS + kind) | 1);
	snprintf(mark, sizeof mark, "%" PRIu64, interval->mark);
	snprintf(name, sizeof name, "%zu-%s", number, kind_names[kind]);
	walk->command[walk->ncommand] = mark;
	walk->command[walk->ncommand + 1] = name;
	walk->points++;
	if (command_run(walk->command))
		return;
	walk->bad++;
	printf("bad %s mark %s\n", name, mark);
	fflush(stdout);
}

/*
 * Selects `count` of `total` points: the first point of each share. Sets *number to the index of
 * the share.
 */
static bool is_taken(const struct walk *walk, uint64_t i, uint64_t *number)
{
	*number = i * walk->count / walk->total;
	return walk->count >= walk->total || i == 0 ||
		(i - 1) * walk->count / walk->total != *number;
}

static void walk_all(struct walk *walk)
{
	for (size_t i = 0; i < walk->log->nintervals; i++)
		walk->total += kinds_count(&walk->log->intervals[i]);
	uint64_t at = 0, number;
	for (size_t i = 0; i < walk->log->nintervals; i++) {
		const struct interval *interval = &walk->log->intervals[i];
		for (size_t k = 0; k < kinds_count(interval); k++, at++)
			if (is_taken(walk, at, &number) &&
				(walk->count >= walk->total ? at : number) % walk->parts ==
					walk->part)
				point_look(walk, i, kinds_at(interval, k));
		for (size_t e = interval->first; e < interval->end; e++)
			entry_put(walk->log, &walk->log->entries[e], walk->durable);
	}
}

static int all(char **argv)
{
	struct log log;
	log_read(&log, argv[0], 0);
	int start = file_open(argv[1], O_RDONLY), image = file_open(argv[2], O_RDWR | O_CREAT);
	file_copy(start, image);
	for (size_t i = 0; i < log.nentries; i++)
		entry_put(&log, &log.entries[i], image);
	printf("writes %zu flushes %zu\n", log.nentries, log.nintervals - 1);
	return 0;
}

static int points(int argc, char **argv)
{
	struct log log;
	struct walk walk = {
		.log = &log,
		.count = strtoull(argv[4], NULL, 10),
		.seed = strtoull(argv[5], NULL, 10),
		.ncommand = argc - 7,
		.command = calloc((size_t)argc, sizeof *argv),
	};
	if (sscanf(argv[6], "%" SCNu64 "/%" SCNu64, &walk.part, &walk.parts) != 2 ||
		walk.parts == 0 || walk.count == 0 || !walk.command)
		fail("COUNT or PART/PARTS");
	memcpy(walk.command, argv + 7, (size_t)(argc - 7) * sizeof *argv);
	log_read(&log, argv[0], strtoull(argv[3], NULL, 10));
	char durable[4096];
	snprintf(durable, sizeof durable, "%s.durable", argv[2]);
	walk.durable = file_open(durable, O_RDWR | O_CREAT | O_TRUNC);
	unlink(durable);
	walk.image = file_open(argv[2], O_RDWR | O_CREAT | O_TRUNC);
	int start = file_open(argv[1], O_RDONLY);
	file_copy(start, walk.durable);
	walk_all(&walk);
	printf("points %" PRIu64 " bad %" PRIu64 "\n", walk.points, walk.bad);
	return walk.bad != 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "all") == 0)
		return all(argv + 2);
	if (argc > 9 && strcmp(argv[1], "points") == 0)
		return points(argc - 2, argv + 2);
	fputs("usage: replay all LOG START IMAGE | replay points LOG START IMAGE SECTORS COUNT "
	      "SEED PART/PARTS COMMAND...\n",
		stderr);
	return 2;
}

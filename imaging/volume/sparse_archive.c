/* SPDX-License-Identifier: MIT */
#include "imaging/volume/sparse_archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/ending.h"
#include "base/file.h"
#include "imaging/kernel/unpack.h"

enum { BLOCK_BYTES = 4096, BUFFER_BYTES = 1024 * 1024 };
/* Zeros passed to libarchive per call; it skips a hole without reading them. */
enum { ZEROS_BYTES = 64 * 1024 * 1024 };

/* Bytes [start, end) of the file that are not in a hole. */
struct run {
	uint64_t start, end;
};

struct job {
	struct diag *diag;
	const char *source, *archive_path, *member;
	struct arena *arena;
	int from, to;
	uint64_t size;
	uint32_t time;
	char *buffer;         /* BUFFER_BYTES */
	const char *zeros;    /* ZEROS_BYTES */
	VEC(struct run) runs; /* ascending, with gaps between them */
};

static bool read_failed(const struct job *job)
{
	return diag_error(job->diag, STATUS_INPUT, NULL, "unreadable-file", "cannot read %s: %s",
		job->source, strerror(errno));
}

static bool write_failed(const struct job *job, struct archive *archive)
{
	/* For a full disk, libarchive's own text is only "Write error". */
	int error = archive_errno(archive);
	return diag_error(job->diag, STATUS_FAILED, NULL, "unwritable-file", "cannot write %s: %s",
		job->archive_path, error > 0 ? strerror(error) : unpack_reason(archive));
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/*
 * Finds the next blocks at or after `from` that the file system does not report as a hole; empty at
 * the end of the file.
 */
static bool next_stretch(const struct job *job, uint64_t from, struct run *stretch)
{
	*stretch = (struct run){job->size, job->size};
	off_t data = lseek(job->from, (off_t)from, SEEK_DATA);
	if (data < 0 && errno == ENXIO)
		return true;
	if (data < 0 && errno == EINVAL) {
		/* The file system does not support SEEK_DATA. */
		stretch->start = from;
		return true;
	}
	off_t hole = data < 0 ? -1 : lseek(job->from, data, SEEK_HOLE);
	if (hole < 0)
		return read_failed(job);
	stretch->start = (uint64_t)data / BLOCK_BYTES * BLOCK_BYTES;
	stretch->end =
		smaller(((uint64_t)hole + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES, job->size);
	return true;
}

static bool is_zero(const char *bytes, size_t count)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, count - 1) == 0;
}

static void add_block(struct job *job, uint64_t start, uint64_t end)
{
	if (job->runs.n && job->runs.v[job->runs.n - 1].end == start)
		job->runs.v[job->runs.n - 1].end = end;
	else
		vec_push(job->arena, &job->runs, (struct run){start, end});
}

static bool find_runs_within(struct job *job, struct run stretch)
{
	for (uint64_t at = stretch.start; at < stretch.end;) {
		size_t count = (size_t)smaller(BUFFER_BYTES, stretch.end - at);
		if (!fd_read_all(job->from, job->buffer, count, (off_t)at))
			return read_failed(job);
		for (size_t in = 0; in < count; in += BLOCK_BYTES) {
			size_t length = (size_t)smaller(BLOCK_BYTES, count - in);
			if (!is_zero(job->buffer + in, length))
				add_block(job, at + in, at + in + length);
		}
		at += count;
	}
	return true;
}

static bool find_runs(struct job *job)
{
	for (uint64_t at = 0; at < job->size;) {
		struct run stretch;
		if (!next_stretch(job, at, &stretch) || !find_runs_within(job, stretch))
			return false;
		at = stretch.end;
	}
	return true;
}

static void entry_cleanup(struct archive_entry **entry)
{
	archive_entry_free(*entry);
}

static bool write_header(struct job *job, struct archive *archive)
{
	__attribute__((cleanup(entry_cleanup))) struct archive_entry *entry =
		require_memory(archive_entry_new());
	archive_entry_set_pathname(entry, job->member);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0600);
	archive_entry_set_size(entry, (int64_t)job->size);
	archive_entry_set_mtime(entry, job->time, 0);
	for (size_t i = 0; i < job->runs.n; i++)
		archive_entry_sparse_add_entry(entry, (int64_t)job->runs.v[i].start,
			(int64_t)(job->runs.v[i].end - job->runs.v[i].start));
	/* Without an entry, libarchive takes the file for one without holes. */
	if (job->runs.n == 0 && job->size)
		archive_entry_sparse_add_entry(entry, 0, 0);
	/*
	 * Neither function reports that memory ran out. Without the name nothing could be unpacked;
	 * without a run its bytes would be lost.
	 */
	/* a single run of the whole file is not counted */
	const bool whole =
		job->runs.n == 1 && job->runs.v[0].start == 0 && job->runs.v[0].end == job->size;
	if (!archive_entry_pathname(entry) ||
		(!whole && (size_t)archive_entry_sparse_count(entry) < job->runs.n))
		ending_out_of_memory();
	return archive_write_header(archive, entry) == ARCHIVE_OK || write_failed(job, archive);
}

static bool write_bytes(
	const struct job *job, struct archive *archive, const char *bytes, size_t count)
{
	while (count) {
		la_ssize_t taken = archive_write_data(archive, bytes, count);
		if (taken <= 0)
			return write_failed(job, archive);
		bytes += taken;
		count -= (size_t)taken;
	}
	return true;
}

/* libarchive counts the bytes of a hole like others, but never reads them. */
static bool write_hole(const struct job *job, struct archive *archive, uint64_t count)
{
	for (uint64_t part; count; count -= part) {
		part = smaller(ZEROS_BYTES, count);
		if (!write_bytes(job, archive, job->zeros, (size_t)part))
			return false;
	}
	return true;
}

static bool write_run(const struct job *job, struct archive *archive, struct run run)
{
	for (uint64_t at = run.start; at < run.end;) {
		size_t count = (size_t)smaller(BUFFER_BYTES, run.end - at);
		if (!fd_read_all(job->from, job->buffer, count, (off_t)at))
			return read_failed(job);
		if (!write_bytes(job, archive, job->buffer, count))
			return false;
		at += count;
	}
	return true;
}

static bool write_content(const struct job *job, struct archive *archive)
{
	uint64_t at = 0;
	for (size_t i = 0; i < job->runs.n; i++) {
		if (!write_hole(job, archive, job->runs.v[i].start - at) ||
			!write_run(job, archive, job->runs.v[i]))
			return false;
		at = job->runs.v[i].end;
	}
	return write_hole(job, archive, job->size - at);
}

static void archive_cleanup(struct archive **archive)
{
	archive_write_free(*archive);
}

static bool write_archive(struct job *job)
{
	__attribute__((cleanup(archive_cleanup))) struct archive *archive =
		require_memory(archive_write_new());
	if (archive_write_set_format_pax(archive) != ARCHIVE_OK ||
		archive_write_add_filter_gzip(archive) != ARCHIVE_OK ||
		archive_write_set_filter_option(archive, "gzip", "timestamp", NULL) != ARCHIVE_OK ||
		archive_write_set_bytes_in_last_block(archive, 1) != ARCHIVE_OK ||
		archive_write_open_fd(archive, job->to) != ARCHIVE_OK)
		return write_failed(job, archive);
	return write_header(job, archive) && write_content(job, archive) &&
		(archive_write_close(archive) == ARCHIVE_OK || write_failed(job, archive));
}

static bool open_source(struct job *job)
{
	struct stat st;
	job->from = open(job->source, O_RDONLY | O_CLOEXEC);
	if (job->from < 0 || fstat(job->from, &st) != 0)
		return diag_error(job->diag, STATUS_INPUT, NULL, "unreadable-file",
			"cannot open %s: %s", job->source, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return diag_error(job->diag, STATUS_INPUT, NULL, "unreadable-file",
			"%s is not a regular file", job->source);
	job->size = (uint64_t)st.st_size;
	return true;
}

static bool create_archive(struct job *job)
{
	job->to = open(job->archive_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (job->to < 0)
		return diag_error(job->diag, STATUS_FAILED, NULL, "unwritable-file",
			"cannot create %s: %s", job->archive_path, strerror(errno));
	if (fchmod(job->to, 0644) != 0)
		diag_error(job->diag, STATUS_FAILED, NULL, "unwritable-file",
			"cannot create %s: %s", job->archive_path, strerror(errno));
	else if (write_archive(job))
		return true;
	unlink(job->archive_path);
	return false;
}

static bool run_job(struct job *job)
{
	void *zeros = mmap(NULL, ZEROS_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (zeros == MAP_FAILED)
		return diag_error(job->diag, STATUS_FAILED, NULL, "memory", "cannot map memory: %s",
			strerror(errno));
	job->zeros = zeros;
	job->buffer = arena_alloc(job->arena, BUFFER_BYTES);
	bool ok = open_source(job) && find_runs(job) && create_archive(job);
	munmap(zeros, ZEROS_BYTES);
	fd_close(&job->from);
	fd_close(&job->to);
	return ok;
}

bool sparse_archive_write(struct diag *diag, const char *source, const char *member,
	const char *archive, uint32_t time)
{
	struct job job = {.diag = diag,
		.source = source,
		.archive_path = archive,
		.member = member,
		.from = -1,
		.to = -1,
		.time = time};
	job.arena = arena_new();
	bool ok = run_job(&job);
	arena_free(job.arena);
	return ok;
}

/* SPDX-License-Identifier: MIT */
#include "imaging/disk/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"

enum {
	QUEUE_MAX = 64, /* bounds the number of open files */
	/* for less, waiting for the disk costs more than copying */
	DIRECT_MIN = 256 * 1024,
	DIRECT_BYTES = 8 << 20, /* of one write */
};

enum job_kind { PUT, COPY, END };

struct job {
	enum job_kind kind;
	void *bytes; /* PUT: owned */
	int from;    /* COPY: owned; else -1 */
	uint64_t start, count, at;
};

struct image_writer {
	char *path;
	int fd;
	int direct; /* the same file opened with O_DIRECT; -1 if unsupported or unused */
	bool cached;
	bool finished;
	bool is_synchronous; /* no thread could be started: the caller writes, which only takes
				longer */
	pthread_t thread;

	pthread_mutex_t lock; /* guards the rest */
	pthread_cond_t added, done;
	struct job queue[QUEUE_MAX];
	size_t first, n; /* of the queue; the first job may be under way */
	int error;       /* errno of the first job that failed; later jobs are dropped */
	bool stop;
};

/* ---- writing, in the thread if there is one ---- */

/*
 * The disk reads the source's pages in the page cache, so that no processor copies them, and the
 * image is already on the disk when it is synced. Only the kernel touches the mapping: if the
 * source has been truncated, the write fails with EFAULT, and there is no SIGBUS.
 */
static bool copy_direct(const struct image_writer *writer, const struct job *job)
{
	for (uint64_t done = 0; done < job->count;) {
		const uint64_t left = job->count - done,
			       part = left < DIRECT_BYTES ? left : DIRECT_BYTES;
		void *pages = mmap(
			NULL, part, PROT_READ, MAP_SHARED, job->from, (off_t)(job->start + done));
		if (pages == MAP_FAILED)
			return false;
		const bool ok = fd_write_all(writer->direct, pages, part, (off_t)(job->at + done));
		munmap(pages, part);
		if (!ok)
			return false;
		done += part;
	}
	return true;
}

/* Falls back to an ordinary copy, which can share blocks too and reports the better error. */
static bool copy(const struct image_writer *writer, const struct job *job)
{
	if (writer->direct >= 0 && job->count >= DIRECT_MIN &&
		(fd_clone_range(
			 job->from, (off_t)job->start, writer->fd, (off_t)job->at, job->count) ||
			copy_direct(writer, job)))
		return true;
	return fd_copy_range(job->from, (off_t)job->start, writer->fd, (off_t)job->at, job->count);
}

static bool job_run(const struct image_writer *writer, const struct job *job)
{
	switch (job->kind) {
	case PUT:
		return fd_write_all(writer->fd, job->bytes, job->count, (off_t)job->at);
	case COPY:
		return copy(writer, job);
	case END:
		return ftruncate(writer->fd, (off_t)job->at) == 0 &&
			(writer->cached || fsync(writer->fd) == 0);
	}
	return false;
}

static void job_free(struct job *job)
{
	fd_close(&job->from);
	free(job->bytes);
}

/* Called and returns with the lock held. */
static void first_run(struct image_writer *writer)
{
	struct job job = writer->queue[writer->first];
	const bool wanted = !writer->error;
	pthread_mutex_unlock(&writer->lock);
	const int error = !wanted || job_run(writer, &job) ? 0 : errno;
	job_free(&job);
	pthread_mutex_lock(&writer->lock);
	if (error)
		writer->error = error;
	writer->first = (writer->first + 1) % QUEUE_MAX;
	writer->n--;
	pthread_cond_signal(&writer->done);
}

static void *work(void *argument)
{
	struct image_writer *writer = argument;
	pthread_mutex_lock(&writer->lock);
	for (;;) {
		while (!writer->n && !writer->stop)
			pthread_cond_wait(&writer->added, &writer->lock);
		if (!writer->n)
			break;
		first_run(writer);
	}
	pthread_mutex_unlock(&writer->lock);
	return NULL;
}

/* ---- interface ---- */

static bool open_files(struct image_writer *writer)
{
	writer->fd = open(writer->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	/* Not every file system supports O_DIRECT. */
	writer->direct = writer->fd < 0 || writer->cached
		? -1
		: open(writer->path, O_WRONLY | O_DIRECT | O_CLOEXEC);
	return writer->fd >= 0;
}

static void writer_free(struct image_writer *writer)
{
	if (writer->fd >= 0 && !writer->finished)
		unlink(writer->path);
	fd_close(&writer->fd);
	fd_close(&writer->direct);
	pthread_cond_destroy(&writer->done);
	pthread_cond_destroy(&writer->added);
	pthread_mutex_destroy(&writer->lock);
	free(writer->path);
	free(writer);
}

struct image_writer *image_writer_new(struct diag *diag, const char *path, bool cached)
{
	struct image_writer *writer = require_memory(calloc(1, sizeof *writer));
	writer->path = require_memory(strdup(path));
	writer->cached = cached;
	pthread_mutex_init(&writer->lock, NULL);
	pthread_cond_init(&writer->added, NULL);
	pthread_cond_init(&writer->done, NULL);
	if (!open_files(writer)) {
		diag_error(diag, STATUS_FAILED, NULL, "unwritable-file", "cannot create %s: %s",
			path, strerror(errno));
		writer_free(writer);
		return NULL;
	}
	writer->is_synchronous = pthread_create(&writer->thread, NULL, work, writer) != 0;
	return writer;
}

void image_writer_free(struct image_writer *writer)
{
	if (!writer)
		return;
	pthread_mutex_lock(&writer->lock);
	writer->error = writer->error ? writer->error : ECANCELED;
	writer->stop = true;
	pthread_cond_signal(&writer->added);
	pthread_mutex_unlock(&writer->lock);
	if (!writer->is_synchronous)
		pthread_join(writer->thread, NULL);
	writer_free(writer);
}

/* Takes ownership of the job's resources. */
static bool job_add(struct image_writer *writer, struct job job)
{
	pthread_mutex_lock(&writer->lock);
	while (writer->n == QUEUE_MAX)
		pthread_cond_wait(&writer->done, &writer->lock);
	writer->queue[(writer->first + writer->n++) % QUEUE_MAX] = job;
	pthread_cond_signal(&writer->added);
	if (writer->is_synchronous)
		first_run(writer);
	const int error = writer->error;
	pthread_mutex_unlock(&writer->lock);
	errno = error;
	return !error;
}

bool image_writer_put(struct image_writer *writer, const void *bytes, size_t count, uint64_t at)
{
	if (!count)
		return true;
	void *own = require_memory(malloc(count));
	memcpy(own, bytes, count);
	return job_add(writer,
		(struct job){.kind = PUT, .bytes = own, .from = -1, .count = count, .at = at});
}

bool image_writer_copy(
	struct image_writer *writer, int from, uint64_t start, uint64_t count, uint64_t at)
{
	if (!count)
		return true;
	const int own = fcntl(from, F_DUPFD_CLOEXEC, 0);
	return own >= 0 &&
		job_add(writer,
			(struct job){.kind = COPY,
				.from = own,
				.start = start,
				.count = count,
				.at = at});
}

bool image_writer_share(
	struct image_writer *writer, int from, uint64_t start, uint64_t count, uint64_t at)
{
	return fd_clone_range(from, (off_t)start, writer->fd, (off_t)at, count);
}

static bool is_waiting(const struct image_writer *writer, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < writer->n; i++) {
		const struct job *job = &writer->queue[(writer->first + i) % QUEUE_MAX];
		if (job->at < end && start < job->at + job->count)
			return true;
	}
	return false;
}

bool image_writer_read(struct image_writer *writer, void *into, size_t count, uint64_t at)
{
	pthread_mutex_lock(&writer->lock);
	while (is_waiting(writer, at, at + count))
		pthread_cond_wait(&writer->done, &writer->lock);
	const int error = writer->error;
	pthread_mutex_unlock(&writer->lock);
	errno = error;
	return !error && fd_read_all(writer->fd, into, count, (off_t)at);
}

bool image_writer_failed(const struct image_writer *writer, struct diag *diag)
{
	return diag_error(diag, STATUS_FAILED, NULL, "unwritable-file", "cannot write %s: %s",
		writer->path, strerror(errno));
}

void image_writer_end(struct image_writer *writer, uint64_t image_bytes)
{
	job_add(writer, (struct job){.kind = END, .from = -1, .at = image_bytes});
}

bool image_writer_finish(struct image_writer *writer, struct diag *diag)
{
	pthread_mutex_lock(&writer->lock);
	while (writer->n)
		pthread_cond_wait(&writer->done, &writer->lock);
	const int error = writer->error;
	pthread_mutex_unlock(&writer->lock);
	errno = error;
	writer->finished = !error;
	return writer->finished || image_writer_failed(writer, diag);
}

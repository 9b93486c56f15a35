/* SPDX-License-Identifier: MIT */
/*
 * An LD_PRELOAD library that makes the Nth call of a C library function fail.
 *
 *   FAULT=FUNCTION:N:ERRNO[:sticky]   the Nth call fails with this errno number; with "sticky",
 *                                     all later calls fail too
 *   FAULT=FUNCTION:N:short            the Nth call transfers half of the requested bytes
 *   FAULT_COUNTS=FILE                 at exit, write the number of calls of each function, one
 *                                     "FUNCTION COUNT" per line
 *   FAULT_PROGRAM=NAME                act only in processes of this name (default: mvmbuild)
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* clang-format off */
#define FUNCTIONS(X) \
	X(write) X(pwrite) X(fsync) X(rename) X(renameat) X(renameat2) X(mmap) X(fallocate) \
	X(copy_file_range) X(malloc) X(calloc) X(realloc) X(open) X(openat) X(mkdir) X(mkdirat) \
	X(mkdtemp) X(link) X(linkat) X(symlink) X(symlinkat) X(fchmod) X(ftruncate) X(opendir) \
	X(fdopendir) X(pthread_create) X(fork) X(read) X(pread) X(close) X(flock) X(unlinkat) \
	X(unlink) X(lseek) X(fstat) X(lstat) X(stat) X(fstatat) X(access) X(readlink) X(pipe2) \
	X(readdir) X(fwrite) X(fflush) X(memfd_create)
/* clang-format on */

enum function {
#define NAME(name) CALL_##name,
	FUNCTIONS(NAME)
#undef NAME
		NFUNCTIONS
};

static const char *const names[] = {
#define NAME(name) #name,
	FUNCTIONS(NAME)
#undef NAME
};

static atomic_long counts[NFUNCTIONS];
static char wanted[64];
static long target;
static int error;
static bool sticky, half;
static int active = -1;

static void settings_read(void)
{
	const char *program = getenv("FAULT_PROGRAM"), *fault = getenv("FAULT");
	active = strcmp(program_invocation_short_name, program ? program : "mvmbuild") == 0;
	if (!fault || !active)
		return;
	char number[32] = "";
	if (sscanf(fault, "%63[^:]:%ld:%31[^:]", wanted, &target, number) != 3)
		abort();
	half = strcmp(number, "short") == 0;
	error = half ? 0 : atoi(number);
	sticky = strstr(fault, ":sticky");
}

static bool is_hit(enum function function)
{
	if (active < 0)
		settings_read();
	if (active == 0)
		return false;
	const long n = atomic_fetch_add(&counts[function], 1) + 1;
	return target && strcmp(wanted, names[function]) == 0 &&
		(sticky ? n >= target : n == target);
}

/* Uses system calls directly, so that it does not count or fail its own calls. */
__attribute__((destructor)) static void counts_write(void)
{
	const char *file = getenv("FAULT_COUNTS");
	char text[8192];
	size_t length = 0;
	if (!file || active != 1)
		return;
	for (size_t i = 0; i < NFUNCTIONS; i++)
		if (counts[i])
			length += (size_t)snprintf(text + length, sizeof text - length, "%s %ld\n",
				names[i], (long)counts[i]);
	int fd = (int)syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (syscall(SYS_write, fd, text, length) < 0)
		abort();
}

#define NEXT(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))
/* `failed` is the return value of a failed call. */
#define FAIL(name, failed) \
	do { \
		if (is_hit(CALL_##name)) { \
			errno = error; \
			return failed; \
		} \
	} while (0)
#define TRANSFER(name, count, ...) \
	do { \
		static __typeof__(name) *next; \
		if (!next) \
			next = NEXT(name); \
		const bool hit = is_hit(CALL_##name); \
		if (hit && !half) { \
			errno = error; \
			return -1; \
		} \
		if (hit) \
			count = count > 1 ? count / 2 : count; \
		return next(__VA_ARGS__); \
	} while (0)
#define PLAIN(type, name, failed, parameters, ...) \
	type name parameters \
	{ \
		static __typeof__(name) *next; \
		if (!next) \
			next = NEXT(name); \
		FAIL(name, failed); \
		return next(__VA_ARGS__); \
	}

ssize_t write(int fd, const void *bytes, size_t count)
{
	TRANSFER(write, count, fd, bytes, count);
}
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at)
{
	TRANSFER(pwrite, count, fd, bytes, count, at);
}
ssize_t read(int fd, void *bytes, size_t count)
{
	TRANSFER(read, count, fd, bytes, count);
}
ssize_t pread(int fd, void *bytes, size_t count, off_t at)
{
	TRANSFER(pread, count, fd, bytes, count, at);
}
ssize_t copy_file_range(int a, off_t *b, int c, off_t *d, size_t count, unsigned f)
{
	TRANSFER(copy_file_range, count, a, b, c, d, count, f);
}
PLAIN(int, fsync, -1, (int fd), fd)
PLAIN(int, rename, -1, (const char *a, const char *b), a, b)
PLAIN(int, renameat, -1, (int a, const char *b, int c, const char *d), a, b, c, d)
PLAIN(int, renameat2, -1, (int a, const char *b, int c, const char *d, unsigned f), a, b, c, d, f)
PLAIN(void *, mmap, MAP_FAILED, (void *a, size_t n, int p, int f, int fd, off_t o), a, n, p, f, fd,
	o)
PLAIN(int, fallocate, -1, (int fd, int m, off_t a, off_t n), fd, m, a, n)
PLAIN(int, mkdir, -1, (const char *p, mode_t m), p, m)
PLAIN(int, mkdirat, -1, (int d, const char *p, mode_t m), d, p, m)
PLAIN(char *, mkdtemp, NULL, (char *t), t)
PLAIN(int, link, -1, (const char *a, const char *b), a, b)
PLAIN(int, linkat, -1, (int a, const char *b, int c, const char *d, int f), a, b, c, d, f)
PLAIN(int, symlink, -1, (const char *a, const char *b), a, b)
PLAIN(int, symlinkat, -1, (const char *a, int d, const char *b), a, d, b)
PLAIN(int, fchmod, -1, (int fd, mode_t m), fd, m)
PLAIN(int, ftruncate, -1, (int fd, off_t n), fd, n)
PLAIN(DIR *, opendir, NULL, (const char *p), p)
PLAIN(DIR *, fdopendir, NULL, (int fd), fd)
PLAIN(int, pthread_create, error,
	(pthread_t *restrict t, const pthread_attr_t *restrict a, void *(*f)(void *),
		void *restrict x),
	t, a, f, x)
PLAIN(pid_t, fork, -1, (void), )
PLAIN(int, flock, -1, (int fd, int o), fd, o)
PLAIN(int, unlinkat, -1, (int d, const char *p, int f), d, p, f)
PLAIN(int, unlink, -1, (const char *p), p)
PLAIN(off_t, lseek, -1, (int fd, off_t o, int w), fd, o, w)
PLAIN(int, fstat, -1, (int fd, struct stat *s), fd, s)
PLAIN(int, lstat, -1, (const char *restrict p, struct stat *restrict s), p, s)
PLAIN(int, stat, -1, (const char *restrict p, struct stat *restrict s), p, s)
PLAIN(int, fstatat, -1, (int d, const char *restrict p, struct stat *restrict s, int f), d, p, s, f)
PLAIN(int, access, -1, (const char *p, int m), p, m)
PLAIN(ssize_t, readlink, -1, (const char *restrict p, char *restrict b, size_t n), p, b, n)
PLAIN(int, pipe2, -1, (int p[2], int f), p, f)
PLAIN(struct dirent *, readdir, NULL, (DIR * d), d)
PLAIN(size_t, fwrite, 0, (const void *restrict p, size_t s, size_t n, FILE *restrict f), p, s, n, f)
PLAIN(int, fflush, EOF, (FILE * f), f)
PLAIN(int, memfd_create, -1, (const char *n, unsigned f), n, f)

/* close releases the descriptor even if it fails. */
int close(int fd)
{
	const bool hit = is_hit(CALL_close);
	const int result = (int)syscall(SYS_close, fd);
	if (!hit)
		return result;
	errno = error;
	return -1;
}

/* The mode argument is passed only with O_CREAT or O_TMPFILE. */
#define MODE(flags) \
	mode_t mode = 0; \
	if ((flags) & (O_CREAT | O_TMPFILE)) { \
		va_list arguments; \
		va_start(arguments, flags); \
		mode = va_arg(arguments, mode_t); \
		va_end(arguments); \
	}

int open(const char *path, int flags, ...)
{
	MODE(flags);
	FAIL(open, -1);
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int openat(int directory, const char *path, int flags, ...)
{
	MODE(flags);
	FAIL(openat, -1);
	return (int)syscall(SYS_openat, directory, path, flags, mode);
}

/* Programs and libraries built with _FILE_OFFSET_BITS=64 call these names. */
#define SAME64(type, name, parameters, ...) \
	type name##64 parameters \
	{ \
		return name(__VA_ARGS__); \
	}
SAME64(ssize_t, pwrite, (int fd, const void *b, size_t n, off_t o), fd, b, n, o)
SAME64(ssize_t, pread, (int fd, void *b, size_t n, off_t o), fd, b, n, o)
SAME64(void *, mmap, (void *a, size_t n, int p, int f, int fd, off_t o), a, n, p, f, fd, o)
SAME64(int, fallocate, (int fd, int m, off_t a, off_t n), fd, m, a, n)
SAME64(int, ftruncate, (int fd, off_t n), fd, n)
SAME64(off_t, lseek, (int fd, off_t o, int w), fd, o, w)
SAME64(int, fstat, (int fd, struct stat64 *s), fd, (struct stat *)s)
SAME64(int, lstat, (const char *restrict p, struct stat64 *restrict s), p, (struct stat *)s)
SAME64(int, stat, (const char *restrict p, struct stat64 *restrict s), p, (struct stat *)s)
SAME64(int, fstatat, (int d, const char *restrict p, struct stat64 *restrict s, int f), d, p,
	(struct stat *)s, f)
struct dirent64 *readdir64(DIR *directory)
{
	return (struct dirent64 *)readdir(directory);
}

int open64(const char *path, int flags, ...)
{
	MODE(flags);
	return open(path, flags, mode);
}

int openat64(int directory, const char *path, int flags, ...)
{
	MODE(flags);
	return openat(directory, path, flags, mode);
}

/* dlsym may allocate memory, so call glibc's internal names instead. */
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);

void *malloc(size_t bytes)
{
	FAIL(malloc, NULL);
	return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
	FAIL(calloc, NULL);
	return __libc_calloc(count, bytes);
}

void *realloc(void *old, size_t bytes)
{
	FAIL(realloc, NULL);
	return __libc_realloc(old, bytes);
}

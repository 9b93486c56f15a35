/* SPDX-License-Identifier: MIT */
/*
 * The guest of read.sh, its first program and the only one: loads what is in /modules, then reads from every disk in turn, with cold caches.
 * Prints: read ROUND DISK SEQUENTIAL-NS RANDOM-NS SUM. The sum of the bytes is the same for every image of the same tree.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SEQUENTIAL = 128 * 1024, RANDOM = 4096 };

static void die(const char *what)
{
	fprintf(stderr, "guest: ");
	perror(what);
	reboot(RB_POWER_OFF);
	_exit(1);
}

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void load_modules(void)
{
	struct dirent **entries;
	const int n = scandir("/modules", &entries, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		char path[300];
		if (entries[i]->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "/modules/%s", entries[i]->d_name);
		const int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) != 0)
			die(path);
		close(fd);
	}
}

static uint64_t sum;

static void add(const unsigned char *bytes, ssize_t n)
{
	for (ssize_t i = 0; i < n; i += 64)
		sum = sum * 31 + bytes[i];
}

static int open_below(const char *name)
{
	char path[4200];
	snprintf(path, sizeof path, "/mnt/%s", name);
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die(path);
	return fd;
}

static void drop_caches(void)
{
	const int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "3", 1) != 1)
		die("drop_caches");
	close(fd);
}

static char *line_of(FILE *list)
{
	static char line[4200];
	if (!fgets(line, sizeof line, list))
		return NULL;
	line[strcspn(line, "\n")] = 0;
	return line;
}

/* The first line of /list is the large file, with how much of it is read. */
static uint64_t read_sequentially(FILE *list)
{
	static unsigned char bytes[SEQUENTIAL];
	char *name;
	uint64_t most = strtoull(line_of(list), &name, 10);
	const int fd = open_below(name + 1);
	const uint64_t start = now();
	for (ssize_t n; most && (n = read(fd, bytes, most < sizeof bytes ? most : sizeof bytes)) > 0; most -= (uint64_t)n)
		add(bytes, n);
	const uint64_t took = now() - start;
	close(fd);
	return took;
}

/* The others are places and files. Opening is not counted, but what it brings into the cache is the same for all. */
static uint64_t read_randomly(FILE *list)
{
	static unsigned char bytes[RANDOM];
	uint64_t took = 0;
	for (char *line; (line = line_of(list));) {
		char *name;
		const off_t at = (off_t)strtoull(line, &name, 10);
		const int fd = open_below(name + 1);
		const uint64_t start = now();
		const ssize_t n = pread(fd, bytes, sizeof bytes, at);
		took += now() - start;
		if (n <= 0)
			die(name);
		add(bytes, n);
		close(fd);
	}
	return took;
}

static void read_disk(int round, const char *device)
{
	char path[300], serial[64] = "";
	snprintf(path, sizeof path, "/sys/block/%s/serial", device);
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, serial, sizeof serial - 1) < 0)
		die(path);
	close(fd);
	snprintf(path, sizeof path, "/dev/%s", device);
	if (mount(path, "/mnt", "squashfs", MS_RDONLY, NULL) != 0 && mount(path, "/mnt", "erofs", MS_RDONLY, NULL) != 0)
		die(path);
	FILE *list = fopen("/list", "re");
	sum = 0;
	drop_caches();
	const uint64_t sequential = read_sequentially(list);
	drop_caches();
	const uint64_t random = read_randomly(list);
	fclose(list);
	printf("read %d %.63s %llu %llu %016llx\n", round, serial, (unsigned long long)sequential, (unsigned long long)random, (unsigned long long)sum);
	fflush(stdout);
	if (umount("/mnt") != 0)
		die("umount");
}

static int is_disk(const struct dirent *entry)
{
	return strncmp(entry->d_name, "vd", 2) == 0;
}

int main(int argc, char *argv[])
{
	const int rounds = argc > 1 ? atoi(argv[1]) : 1;
	mkdir("/proc", 0755), mkdir("/sys", 0755), mkdir("/dev", 0755), mkdir("/mnt", 0755);
	if (mount("proc", "/proc", "proc", 0, NULL) != 0 || mount("sysfs", "/sys", "sysfs", 0, NULL) != 0 ||
	    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL) != 0)
		die("mount");
	load_modules();
	struct dirent **disks;
	const int n = scandir("/sys/block", &disks, is_disk, alphasort);
	for (int round = 1; round <= rounds; round++)
		for (int i = 0; i < n; i++)
			read_disk(round, disks[i]->d_name);
	reboot(RB_POWER_OFF);
	return 1;
}

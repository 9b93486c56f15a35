/* SPDX-License-Identifier: MIT */
/*
 * The init program of read.sh's guest, and its only program. It loads every module in /modules,
 * then reads from each disk in turn with cold caches. A disk for which /verity/SERIAL exists is
 * read through dm-verity: that file holds the size in sectors, then the target's parameters that
 * follow the two device names.
 *
 * Prints lines of the form
 *     read ROUND DISK SEQUENTIAL-NS RANDOM-NS SEQUENTIAL-SECTORS RANDOM-SECTORS SUM
 * The sector counts are those that the disk was asked for during the reads. SUM is a checksum of
 * the bytes read, which must be equal for all images of one tree.
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

#include "imaging/guest/init/mapper.h"

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

struct disk {
	char serial[64], path[300];
	int statistics; /* descriptor of /sys/block/NAME/stat */
};

struct reading {
	uint64_t ns, sectors;
};

static int open_of(const char *device, const char *attribute)
{
	char path[300];
	snprintf(path, sizeof path, "/sys/block/%s/%s", device, attribute);
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die(path);
	return fd;
}

/* The third field is "read sectors" (Documentation/block/stat.rst). */
static uint64_t sectors_read(const struct disk *disk)
{
	char text[300] = "";
	unsigned long long sectors;
	if (pread(disk->statistics, text, sizeof text - 1, 0) < 0 ||
		sscanf(text, "%*u %*u %llu", &sectors) != 1)
		die("stat");
	return sectors;
}

/* The first line of /list gives the number of bytes to read and the name of the large file. */
static struct reading read_sequentially(const struct disk *disk, FILE *list)
{
	static unsigned char bytes[SEQUENTIAL];
	char *name;
	uint64_t most = strtoull(line_of(list), &name, 10);
	const int fd = open_below(name + 1);
	const uint64_t sectors = sectors_read(disk), start = now();
	for (ssize_t n;
		most && (n = read(fd, bytes, most < sizeof bytes ? most : sizeof bytes)) > 0;
		most -= (uint64_t)n)
		add(bytes, n);
	const uint64_t took = now() - start;
	close(fd);
	return (struct reading){took, sectors_read(disk) - sectors};
}

/*
 * The remaining lines are offsets and files. Opening a file is not timed; it fills the caches
 * equally for every disk.
 */
static struct reading read_randomly(const struct disk *disk, FILE *list)
{
	static unsigned char bytes[RANDOM];
	struct reading all = {0};
	for (char *line; (line = line_of(list));) {
		char *name;
		const off_t at = (off_t)strtoull(line, &name, 10);
		const int fd = open_below(name + 1);
		const uint64_t sectors = sectors_read(disk), start = now();
		const ssize_t n = pread(fd, bytes, sizeof bytes, at);
		all.ns += now() - start;
		if (n <= 0)
			die(name);
		all.sectors += sectors_read(disk) - sectors;
		add(bytes, n);
		close(fd);
	}
	return all;
}

/*
 * Each mount gets a new dm device, so that blocks of the hash tree verified for the previous mount
 * are not reused. The devices are not removed.
 */
static void map_disk(const struct disk *disk, FILE *verity, char path[300])
{
	static unsigned number;
	unsigned long long sectors;
	unsigned minor;
	char rest[300], name[32], parameters[1000];
	if (fscanf(verity, "%llu %299[^\n]", &sectors, rest) != 2)
		die("/verity");
	snprintf(name, sizeof name, "disk%u", number++);
	snprintf(parameters, sizeof parameters, "1 %s %s %s", disk->path, disk->path, rest);
	if (!mapper_create(&(struct mapping){name, "", sectors, "verity", parameters}, &minor))
		die(parameters);
	snprintf(path, 300, "/dev/dm-%u", minor);
}

static void mount_disk(const struct disk *disk)
{
	char path[300];
	snprintf(path, sizeof path, "/verity/%s", disk->serial);
	FILE *verity = fopen(path, "re");
	strcpy(path, disk->path);
	if (verity) {
		map_disk(disk, verity, path);
		fclose(verity);
	}
	if (mount(path, "/mnt", "squashfs", MS_RDONLY, NULL) != 0 &&
		mount(path, "/mnt", "erofs", MS_RDONLY, NULL) != 0)
		die(path);
	drop_caches();
}

static struct reading read_mounted(
	const struct disk *disk, struct reading (*read_it)(const struct disk *, FILE *), FILE *list)
{
	mount_disk(disk);
	const struct reading reading = read_it(disk, list);
	if (umount("/mnt") != 0)
		die("umount");
	return reading;
}

static void read_disk(int round, const char *device)
{
	struct disk disk = {.statistics = open_of(device, "stat")};
	const int serial = open_of(device, "serial");
	if (read(serial, disk.serial, sizeof disk.serial - 1) < 0)
		die(device);
	close(serial);
	snprintf(disk.path, sizeof disk.path, "/dev/%s", device);
	FILE *list = fopen("/list", "re");
	sum = 0;
	const struct reading sequential = read_mounted(&disk, read_sequentially, list),
			     random = read_mounted(&disk, read_randomly, list);
	fclose(list);
	close(disk.statistics);
	printf("read %d %s %llu %llu %llu %llu %016llx\n", round, disk.serial,
		(unsigned long long)sequential.ns, (unsigned long long)random.ns,
		(unsigned long long)sequential.sectors, (unsigned long long)random.sectors,
		(unsigned long long)sum);
	fflush(stdout);
}

static int is_disk(const struct dirent *entry)
{
	return strncmp(entry->d_name, "vd", 2) == 0;
}

int main(int argc, char *argv[])
{
	const int rounds = argc > 1 ? atoi(argv[1]) : 1;
	mkdir("/proc", 0755), mkdir("/sys", 0755), mkdir("/dev", 0755), mkdir("/mnt", 0755);
	if (mount("proc", "/proc", "proc", 0, NULL) != 0 ||
		mount("sysfs", "/sys", "sysfs", 0, NULL) != 0 ||
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

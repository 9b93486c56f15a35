/* SPDX-License-Identifier: MIT */
/*
 * tear IMAGE LOG SEED puts the image into a state that a power failure may leave while the log is
 * replayed (backends/runtime/volume/growth_log.c): the image has its new size, and each changed
 * sector of 512 bytes has either the old or the new content.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BLOCK = 1024, SECTOR = 512 };

struct header {
	char magic[16];
	uint64_t size, count;
};
struct record {
	uint64_t offset;
	unsigned char before[BLOCK], after[BLOCK];
};

int main(int argc, char **argv)
{
	struct header header;
	struct record record;
	if (argc != 4)
		return 2;
	int image = open(argv[1], O_RDWR), log = open(argv[2], O_RDONLY);
	srandom((unsigned)strtoul(argv[3], NULL, 10));
	if (image < 0 || log < 0 || read(log, &header, sizeof header) != sizeof header ||
		ftruncate(image, (off_t)header.size) != 0)
		return 1;
	for (uint64_t i = 0; i < header.count; i++) {
		if (read(log, &record, sizeof record) != sizeof record)
			return 1;
		for (size_t at = 0; at < BLOCK; at += SECTOR)
			if (random() & 1 &&
				pwrite(image, record.after + at, SECTOR,
					(off_t)(record.offset + at)) != SECTOR)
				return 1;
	}
	printf("%llu records\n", (unsigned long long)header.count);
	return 0;
}

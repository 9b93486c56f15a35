/* SPDX-License-Identifier: MIT */
/* probe: identifies a file system by its superblock. */
#ifndef MVM_IMAGING_GUEST_INIT_PROBE_H
#define MVM_IMAGING_GUEST_INIT_PROBE_H

#include <stdbool.h>

enum { PROBE_UUID_BYTES = 37, PROBE_LABEL_BYTES = 257 };

struct probe {
	const char *type;              /* ext (2, 3 or 4), xfs, btrfs, vfat or erofs */
	char uuid[PROBE_UUID_BYTES];   /* as blkid prints it */
	char label[PROBE_LABEL_BYTES]; /* "" if it has none */
};

/* False if the file system is none of these, or the disk cannot be read. */
bool probe_read(int disk, struct probe *probe);
/* Whether the disk holds an ext file system with a journal that the next mount replays. */
bool probe_journal_waits(int disk);
/* `identity`: "uuid:" or "label:", and the text. */
bool probe_matches(const struct probe *probe, const char *identity);

#endif

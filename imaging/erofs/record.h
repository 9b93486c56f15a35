/* SPDX-License-Identifier: MIT */
/* record: makes the records of files in erofs objects. */
#ifndef MVM_IMAGING_EROFS_RECORD_H
#define MVM_IMAGING_EROFS_RECORD_H

#include "imaging/cache/object.h"
#include "imaging/erofs/read.h"

struct buf;

/* Appends the record of a file that has this content. */
void erofs_record_add(struct buf *out, struct object_record record, const struct object_file *file,
	const char *name, const struct erofs_content *content);

#endif

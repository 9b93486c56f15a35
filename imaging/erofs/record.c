/* SPDX-License-Identifier: MIT */
#include "imaging/erofs/record.h"

#include <endian.h>
#include <string.h>

#include "base/buf.h"
#include "imaging/erofs/extents.h"
#include "imaging/erofs/format.h"
#include "imaging/erofs/index.h"

/* Makes the packs' block numbers relative to the file's first block. */
static void add_index(struct buf *out, const struct erofs_content *content)
{
	if (content->index_bytes == 0)
		return;
	struct erofs_map_header header;
	memcpy(&header, content->index, sizeof header);
	const size_t packs = out->n + sizeof header;
	buf_add(out, content->index, content->index_bytes);
	erofs_index_move((struct erofs_index){content->size, le16toh(header.advise)},
		(unsigned char *)out->p + packs, -content->start);
}

static void pad(struct buf *out, size_t unit)
{
	static const char zeros[8];
	buf_add(out, zeros, -out->n & (unit - 1));
}

void erofs_record_add(struct buf *out, struct object_record record, const struct object_file *file,
	const char *name, const struct erofs_content *content)
{
	const struct erofs_extents extents = {
		content->layout, content->blocks, content->index_bytes, content->tail_bytes};
	record.count =
		(uint32_t)((sizeof extents + content->index_bytes + content->tail_bytes + 3) / 4);
	buf_add(out, &record, sizeof record);
	buf_add(out, file, sizeof *file);
	buf_add(out, name, record.name_length);
	pad(out, 4);
	buf_add(out, &extents, sizeof extents);
	add_index(out, content);
	if (content->tail_bytes)
		buf_add(out, content->tail, content->tail_bytes);
	pad(out, 8);
}

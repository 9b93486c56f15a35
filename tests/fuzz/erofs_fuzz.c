/* SPDX-License-Identifier: MIT */
/*
 * Reads arbitrary bytes as an image made by mkfs.erofs: looks up every name in them in every
 * directory, and locates the content of each file found.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "imaging/erofs/read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads all bytes that the reader returned, so that a sanitizer sees an invalid range. */
static unsigned touch(const struct erofs_image *image, const struct erofs_content *content)
{
	unsigned sum = 0;
	for (uint32_t i = 0; i < content->index_bytes; i++)
		sum += content->index[i];
	for (uint32_t i = 0; i < content->tail_bytes; i++)
		sum += content->tail[i];
	for (uint64_t i = 0; i < (uint64_t)content->blocks * 4096; i += 4095)
		sum += image->p[(uint64_t)content->start * 4096 + i];
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {
		".", "..", "file", "a", "b", "directory", "text", "zzzz"};
	struct erofs_image image;
	volatile unsigned sum = 0;
	if (!erofs_image_open(&image, data, size))
		return 0;
	for (uint64_t nid = 0; nid < 256; nid++) {
		const uint64_t directory = nid ? nid : image.root;
		for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
			uint64_t found;
			struct erofs_content content;
			if (erofs_image_lookup(
				    &image, directory, names[i], strlen(names[i]), &found) &&
				erofs_image_content(&image, found, &content))
				sum += touch(&image, &content);
		}
	}
	return 0;
}

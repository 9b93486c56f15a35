/* SPDX-License-Identifier: MIT */
/*
 * plain_files: places the contents of files in an image, uncompressed, each from a page boundary on
 * and with zeros up to the end of its last page. A file with the content of an earlier one gets the
 * place of that one.
 */
#ifndef MVM_IMAGING_EROFS_PLAIN_FILES_H
#define MVM_IMAGING_EROFS_PLAIN_FILES_H

#include <stdbool.h>
#include <stdint.h>

struct erofs_linker;
struct image_writer;
struct plain_files;

/* The caller owns both; space is reserved in the linker. */
struct plain_files *plain_files_new(struct image_writer *image, struct erofs_linker *linker);
void plain_files_free(struct plain_files *files);

enum plain_result {
	PLAIN_PLACED,
	PLAIN_UNREADABLE, /* errno has the reason */
	PLAIN_UNWRITABLE, /* errno has the reason */
};

/*
 * Places `size` bytes, at least 1, of the open file. `*place` is their position in the image,
 * `*is_new` is false if an earlier file brought them.
 */
enum plain_result plain_files_add(
	struct plain_files *files, int fd, uint64_t size, uint64_t *place, bool *is_new);
/* Writes what is still in memory; false with errno set. */
bool plain_files_finish(struct plain_files *files);
/* Returns the bytes that the image shares with the files. */
uint64_t plain_files_shared(const struct plain_files *files);

#endif

/* SPDX-License-Identifier: MIT */
#include "imaging/store/nar.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/ending.h"

/* Chunks of this size or more are hashed in place, not copied to the buffer first. */
enum { DIRECT_BYTES = 1024 };

static void require_success(int one)
{
	if (one != 1)
		ending_fatal("libcrypto cannot compute SHA-256");
}

static void hash_pending(struct nar *nar)
{
	if (nar->pending)
		require_success(EVP_DigestUpdate(nar->digest, nar->bytes, nar->pending));
	nar->pending = 0;
}

static void hash(struct nar *nar, const void *bytes, size_t count)
{
	if (count > sizeof nar->bytes - nar->pending || count >= DIRECT_BYTES)
		hash_pending(nar);
	if (count >= DIRECT_BYTES) {
		require_success(EVP_DigestUpdate(nar->digest, bytes, count));
	} else {
		memcpy(nar->bytes + nar->pending, bytes, count);
		nar->pending += count;
	}
}

static void put(struct nar *nar, const void *bytes, size_t count)
{
	nar->size += count;
	if (nar->digest)
		hash(nar, bytes, count);
}

/* Lengths are 64-bit little-endian. */
static void put_length(struct nar *nar, uint64_t length)
{
	unsigned char bytes[8];
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (unsigned char)(length >> 8 * i);
	put(nar, bytes, sizeof bytes);
}

/* Pads with zeros to a multiple of eight. */
static void put_padding(struct nar *nar, uint64_t length)
{
	put(nar, "\0\0\0\0\0\0\0", (size_t)(-length & 7));
}

static void put_string(struct nar *nar, const char *text)
{
	size_t length = strlen(text);
	put_length(nar, length);
	put(nar, text, length);
	put_padding(nar, length);
}

static void put_strings(struct nar *nar, const char *const *texts)
{
	for (; *texts; texts++)
		put_string(nar, *texts);
}
#define put_all(nar, ...) put_strings(nar, (const char *const[]){__VA_ARGS__, NULL})

void nar_begin(struct nar *nar, bool hashed)
{
	*nar = (struct nar){0};
	if (hashed) {
		nar->digest = require_memory(EVP_MD_CTX_new());
		require_success(EVP_DigestInit_ex(nar->digest, EVP_sha256(), NULL));
	}
	put_string(nar, "nix-archive-1");
}

void nar_free(struct nar *nar)
{
	EVP_MD_CTX_free(nar->digest);
	EVP_MD_CTX_free(nar->marked);
	nar->digest = nar->marked = NULL;
}

void nar_directory_begin(struct nar *nar)
{
	put_all(nar, "(", "type", "directory");
}

void nar_directory_end(struct nar *nar)
{
	put_string(nar, ")");
}

void nar_entry_begin(struct nar *nar, const char *name)
{
	put_all(nar, "entry", "(", "name", name, "node");
}

void nar_entry_end(struct nar *nar)
{
	put_string(nar, ")");
}

void nar_symlink(struct nar *nar, const char *target)
{
	put_all(nar, "(", "type", "symlink", "target", target, ")");
}

void nar_attributes(struct nar *nar, const void *bytes, size_t count)
{
	put_string(nar, "attributes");
	put_length(nar, count);
	put(nar, bytes, count);
	put_padding(nar, count);
}

void nar_special(struct nar *nar)
{
	put_all(nar, "(", "type", "special", ")");
}

void nar_file_begin(struct nar *nar, bool executable, uint64_t size)
{
	put_all(nar, "(", "type", "regular");
	if (executable)
		put_all(nar, "executable", "");
	put_string(nar, "contents");
	put_length(nar, size);
	nar->size += size;
}

void nar_content(struct nar *nar, const void *bytes, size_t count)
{
	if (nar->digest)
		hash(nar, bytes, count);
}

void nar_file_end(struct nar *nar, uint64_t size)
{
	put_padding(nar, size);
	put_string(nar, ")");
}

void nar_mark(struct nar *nar)
{
	if (!nar->digest)
		return;
	if (!nar->marked)
		nar->marked = require_memory(EVP_MD_CTX_new());
	hash_pending(nar);
	require_success(EVP_MD_CTX_copy_ex(nar->marked, nar->digest));
}

void nar_rewind(struct nar *nar)
{
	if (!nar->digest)
		return;
	nar->pending = 0;
	require_success(EVP_MD_CTX_copy_ex(nar->digest, nar->marked));
}

void nar_end(struct nar *nar, char hash[NAR_HASH_DIGITS + 1])
{
	unsigned char digest[NAR_HASH_DIGITS / 2];
	hash_pending(nar);
	require_success(EVP_DigestFinal_ex(nar->digest, digest, NULL));
	for (size_t i = 0; i < sizeof digest; i++)
		snprintf(hash + 2 * i, 3, "%02x", digest[i]);
}

/* SPDX-License-Identifier: MIT */
/* nix_hash: the ways in which Nix writes a hash. */
#ifndef MVM_BASE_NIX_HASH_H
#define MVM_BASE_NIX_HASH_H

#include <stdbool.h>
#include <stddef.h>

enum {
	NIX_HASH_BYTES = 32,     /* SHA-256 */
	NIX_HASH_DIGITS = 64,    /* in base 16 */
	NIX_HASH_MAX_BYTES = 64, /* SHA-512 */
	NIX_HASH_MAX_DIGITS = (NIX_HASH_MAX_BYTES * 8 + 4) / 5,
};

/* Whether `c` is a digit of Nix's base 32, which lacks e, o, t and u. */
bool nix32_is_digit(char c);

/*
 * Reads a SHA-256 written as "sha256:" and base 16, base 32 or base 64, as "sha256-" and base 64,
 * or as bare base 16 or 32; the length distinguishes the bases. Writes 64 lower-case digits and a 0
 * byte. Returns false for anything else.
 */
bool nix_hash_parse(const char *text, char base16[NIX_HASH_DIGITS + 1]);

/*
 * Returns the digest size of the algorithm ("md5", "sha1", "sha256", "sha512") in bytes; 0 for any
 * other.
 */
size_t nix_hash_size(const char *algorithm);
/*
 * Decodes the bare digits of a digest of `size` bytes, at most NIX_HASH_MAX_BYTES; their number
 * distinguishes the bases.
 */
bool nix_hash_decode(const char *digits, unsigned char *digest, size_t size);
/* Writes a digest of `size` bytes in Nix's base 32, and a 0 byte. */
void nix32_encode(const unsigned char *digest, size_t size, char text[NIX_HASH_MAX_DIGITS + 1]);

#endif

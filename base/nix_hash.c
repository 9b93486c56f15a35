/* SPDX-License-Identifier: MIT */
#include "base/nix_hash.h"

#include <stdint.h>
#include <string.h>

static const char hex_digits[] = "0123456789abcdef";
static const char nix32_digits[] = "0123456789abcdfghijklmnpqrsvwxyz";
static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static size_t hex_length(size_t size)
{
	return size * 2;
}

static size_t nix32_length(size_t size)
{
	return (size * 8 + 4) / 5;
}

static size_t base64_length(size_t size)
{
	return (size + 2) / 3 * 4;
}

/* Returns -1 for a character that is not a digit. */
static int digit_value(const char *digits, char c)
{
	const char *found = c ? strchr(digits, c) : NULL;
	return found ? (int)(found - digits) : -1;
}

bool nix32_is_digit(char c)
{
	return digit_value(nix32_digits, c) >= 0;
}

static int hex_value(char c)
{
	return digit_value(hex_digits, c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c);
}

static bool hex_decode(const char *text, unsigned char *digest, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		digest[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

/*
 * The digits are written from the highest bits to the lowest: the last character has bits 0 to 4.
 */
static bool nix32_decode(const char *text, unsigned char *digest, size_t size)
{
	size_t length = nix32_length(size);
	memset(digest, 0, size);
	for (size_t i = 0; i < length; i++) {
		int digit = digit_value(nix32_digits, text[length - 1 - i]);
		size_t byte = i * 5 / 8, shift = i * 5 % 8;
		if (digit < 0)
			return false;
		digest[byte] |= (unsigned char)((unsigned)digit << shift);
		unsigned carry = (unsigned)digit >> (8 - shift);
		if (byte + 1 < size)
			digest[byte + 1] |= (unsigned char)carry;
		else if (carry)
			return false;
	}
	return true;
}

static bool base64_decode(const char *text, unsigned char *digest, size_t size)
{
	size_t length = base64_length(size), padding = (3 - size % 3) % 3, done = 0;
	uint32_t bits = 0;
	unsigned held = 0;
	for (size_t i = 0; i < length; i++) {
		bool padded = i >= length - padding;
		int digit = padded ? 0 : digit_value(base64_digits, text[i]);
		if (digit < 0 || (padded && text[i] != '='))
			return false;
		bits = bits << 6 | (uint32_t)digit;
		held += 6;
		if (held < 8)
			continue;
		held -= 8;
		unsigned char byte = (unsigned char)(bits >> held);
		if (done < size)
			digest[done++] = byte;
		else if (byte)
			return false;
		bits &= (1u << held) - 1;
	}
	return true;
}

bool nix_hash_decode(const char *digits, unsigned char *digest, size_t size)
{
	size_t length = strlen(digits);
	if (length == hex_length(size))
		return hex_decode(digits, digest, size);
	if (length == nix32_length(size))
		return nix32_decode(digits, digest, size);
	return length == base64_length(size) && base64_decode(digits, digest, size);
}

size_t nix_hash_size(const char *algorithm)
{
	static const struct {
		const char *name;
		size_t size;
	} algorithms[] = {{"md5", 16}, {"sha1", 20}, {"sha256", 32}, {"sha512", 64}};
	for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++)
		if (strcmp(algorithms[i].name, algorithm) == 0)
			return algorithms[i].size;
	return 0;
}

void nix32_encode(const unsigned char *digest, size_t size, char text[NIX_HASH_MAX_DIGITS + 1])
{
	size_t length = nix32_length(size);
	for (size_t i = 0; i < length; i++) {
		size_t byte = i * 5 / 8, shift = i * 5 % 8;
		unsigned value = digest[byte] >> shift;
		if (shift > 3 && byte + 1 < size)
			value |= (unsigned)digest[byte + 1] << (8 - shift);
		text[length - 1 - i] = nix32_digits[value & 31];
	}
	text[length] = 0;
}

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool nix_hash_parse(const char *text, char base16[NIX_HASH_DIGITS + 1])
{
	static const char prefix[] = "sha256";
	bool prefixed = starts_with(text, prefix) &&
		(text[sizeof prefix - 1] == ':' || text[sizeof prefix - 1] == '-');
	bool sri = prefixed && text[sizeof prefix - 1] == '-';
	const char *digits = prefixed ? text + sizeof prefix : text;
	bool base64 = strlen(digits) == base64_length(NIX_HASH_BYTES);
	unsigned char digest[NIX_HASH_BYTES];
	/* Nix does not accept bare base 64, and accepts nothing else after "sha256-". */
	if ((sri && !base64) || (base64 && !prefixed) ||
		!nix_hash_decode(digits, digest, sizeof digest))
		return false;
	for (size_t i = 0; i < sizeof digest; i++) {
		base16[2 * i] = hex_digits[digest[i] >> 4];
		base16[2 * i + 1] = hex_digits[digest[i] & 15];
	}
	base16[NIX_HASH_DIGITS] = 0;
	return true;
}

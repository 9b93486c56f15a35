/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/nix_hash.h"
#include "fixture.h"

/* SHA-256 of the empty string and of "abc". */
#define EMPTY_HEX "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define EMPTY_NIX32 "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73"
#define EMPTY_BASE64 "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
#define ABC_HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC_NIX32 "1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s"
#define ABC_BASE64 "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="

static void every_form_is_read(void **state)
{
	(void)state;
	static const struct {
		const char *text, *hex;
	} rows[] = {
		{EMPTY_HEX, EMPTY_HEX},
		{"sha256:" EMPTY_HEX, EMPTY_HEX},
		{EMPTY_NIX32, EMPTY_HEX},
		{"sha256:" EMPTY_NIX32, EMPTY_HEX},
		{"sha256-" EMPTY_BASE64, EMPTY_HEX},
		{"sha256:" EMPTY_BASE64, EMPTY_HEX},
		{"sha256:" ABC_NIX32, ABC_HEX},
		{"sha256-" ABC_BASE64, ABC_HEX},
		{"sha256:BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
			ABC_HEX},
	};
	for (size_t i = 0; i < countof(rows); i++) {
		char hex[NIX_HASH_DIGITS + 1] = "";
		if (!nix_hash_parse(rows[i].text, hex))
			fail_msg("%s was refused", rows[i].text);
		assert_string_equal(hex, rows[i].hex);
	}
}

static void anything_else_is_refused(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"",
		"sha256:",
		"sha256-",
		"sha256",
		"md5:d41d8cd98f00b204e9800998ecf8427e",
		"sha512:" EMPTY_HEX,
		"SHA256:" EMPTY_HEX,
		" " EMPTY_HEX,
		EMPTY_HEX " ",
		EMPTY_HEX "0",
		/* one digit short */
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85",
		"g3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"e\0203b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8",
		/* "e" is not a digit */
		"emdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73",
		/* more than 256 bits */
		"2mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73",
		"0MDQA9W1P6CMLI6976V4WI0SW9R4P5PRKJ7LZFD1877WK11C9C73",
		EMPTY_BASE64, /* without its prefix */
		"sha256-" EMPTY_HEX,
		"sha256-" EMPTY_NIX32,
		/* the padding bits are not 0 */
		"sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=",
		"sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFUA", /* 33 bytes */
		"sha256-47DEQpj8HBSa-/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
	};
	for (size_t i = 0; i < countof(rows); i++) {
		char hex[NIX_HASH_DIGITS + 1];
		if (nix_hash_parse(rows[i], hex))
			fail_msg("\"%s\" was read as %s", rows[i], hex);
	}
}

static void encoding_is_the_inverse(void **state)
{
	(void)state;
	for (size_t size = 16; size <= NIX_HASH_MAX_BYTES; size++) {
		unsigned char digest[NIX_HASH_MAX_BYTES], back[NIX_HASH_MAX_BYTES];
		char text[NIX_HASH_MAX_DIGITS + 1];
		for (size_t i = 0; i < size; i++)
			digest[i] = (unsigned char)(i * 73 + size * 11 + 200);
		nix32_encode(digest, size, text);
		assert_true(nix_hash_decode(text, back, size));
		assert_memory_equal(digest, back, size);
	}
}

static void nix_agrees(void **state)
{
	struct fixture *f = *state;
	if (!have_program(f, "nix-hash"))
		skip();
	static const struct {
		const char *algorithm, *hex;
	} rows[] = {
		{"md5", "d41d8cd98f00b204e9800998ecf8427e"},
		{"sha1", "a9993e364706816aba3e25717850c26c9cd0d89d"},
		{"sha256", ABC_HEX},
		{"sha512",
			"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
			"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
	};
	for (size_t i = 0; i < countof(rows); i++) {
		unsigned char digest[NIX_HASH_MAX_BYTES];
		char text[NIX_HASH_MAX_DIGITS + 1];
		size_t size = nix_hash_size(rows[i].algorithm);
		assert_true(nix_hash_decode(rows[i].hex, digest, size));
		nix32_encode(digest, size, text);
		assert_string_equal(
			shell(f, "printf %s \"$(nix-hash --type \"$1\" --to-base32 \"$2\")\"",
				rows[i].algorithm, rows[i].hex),
			text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_is_read),
		cmocka_unit_test(anything_else_is_refused),
		cmocka_unit_test(encoding_is_the_inverse),
		cmocka_unit_test_setup_teardown(nix_agrees, fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

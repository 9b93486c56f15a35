/* SPDX-License-Identifier: MIT */
/* Quoting is checked by running real shells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "tests/unit/fixture.h"

static const char *const shells[] = {"bash", "dash", "busybox"};

/* A script that prints each word followed by a 0 byte, and its expected output. */
struct quoted {
	struct buf script, expected;
};

static void quote(struct quoted *quoted, const char *word)
{
	buf_puts(&quoted->script, " ");
	buf_shell_quote(&quoted->script, word);
	buf_add(&quoted->expected, word, strlen(word) + 1);
}

static void assert_shells_agree(struct fixture *f, struct quoted *quoted)
{
	const char *path = scratch_path(f, "script");
	unlink(path);
	assert_ok(f, file_write(f->diag, path, quoted->script.p, quoted->script.n, 0644));
	for (size_t i = 0; i < countof(shells); i++) {
		if (!have_program(f, shells[i]))
			continue;
		struct process_result result;
		const char *const plain[] = {shells[i], path, NULL},
				  *const applet[] = {shells[i], "sh", path, NULL};
		assert_ok(f,
			process_run(f->arena, f->diag,
				strcmp(shells[i], "busybox") == 0 ? applet : plain, &result));
		if (result.exit_status != 0 || result.output.n != quoted->expected.n ||
			memcmp(result.output.p, quoted->expected.p, quoted->expected.n) != 0)
			fail_msg("%s reads other words: exit status %d, %zu bytes for %zu; %s\n%s",
				shells[i], result.exit_status, result.output.n, quoted->expected.n,
				result.error.p, quoted->script.p);
	}
	buf_free(&quoted->script);
	buf_free(&quoted->expected);
}

static void shells_read_back_the_word(void **state)
{
	static const char *const words[] = {
		"",
		" ",
		"a b",
		"'",
		"''",
		"'''",
		"a'b",
		"'a'",
		"\"",
		"\\",
		"\\'",
		"a\\",
		"$HOME",
		"${HOME}",
		"$(id)",
		"`id`",
		"!",
		"!!",
		"a!b",
		"-n",
		"-e",
		"--",
		"-",
		"~",
		"~root",
		"~/x",
		"a=~",
		"PATH=x:~",
		"*",
		"?",
		"[a-z]",
		"/*",
		"{a,b}",
		"{1..9}",
		";",
		"&",
		"|",
		"<x",
		">x",
		"#",
		"#x",
		"x#y",
		"(",
		")",
		"\n",
		"a\nb",
		"\na",
		"a\n",
		"\r\n",
		"\t",
		"if",
		"done",
		"a=b",
		"=x",
		"%s",
		"%%",
		"\\n",
		"\\0",
		"\\c",
		"größe",
		"日本語",
		"\xff\xfe",
		"\x01",
		"\x7f",
		"\xc3",
		"\x81\x82\x88",
		"a\x1b[31m",
		"@",
		"@(a)",
		"+(b)",
		"^x",
		":",
		",",
		"/nix/store/00000000000000000000000000000000-x_1.2+3/bin/run",
		"file=/tmp/a,if=virtio,id=vda",
		"1000:1000",
	};
	struct fixture *f = *state;
	struct quoted quoted = {{0}, {0}};
	buf_puts(&quoted.script, "printf '%s\\0'");
	for (size_t i = 0; i < countof(words); i++)
		quote(&quoted, words[i]);
	assert_shells_agree(f, &quoted);
}

/* Every byte except 0: alone, between letters, and all of them in one word. */
static void shells_read_back_every_byte(void **state)
{
	struct fixture *f = *state;
	struct quoted quoted = {{0}, {0}};
	char all[256], word[8];
	buf_puts(&quoted.script, "printf '%s\\0'");
	for (int byte = 1; byte < 256; byte++) {
		all[byte - 1] = (char)byte;
		snprintf(word, sizeof word, "%c", byte);
		quote(&quoted, word);
		snprintf(word, sizeof word, "a%cb%c%c", byte, byte, byte);
		quote(&quoted, word);
	}
	all[255] = '\0';
	quote(&quoted, all);
	assert_shells_agree(f, &quoted);
}

static void quoted_words_may_stand_anywhere(void **state)
{
	struct fixture *f = *state;
	struct quoted quoted = {{0}, {0}};
	static const char *const words[] = {"a b'c", "~", "", "*", "x=y", "%d"};
	for (size_t i = 0; i < countof(words); i++) {
		buf_puts(&quoted.script, "v=");
		buf_shell_quote(&quoted.script, words[i]);
		buf_puts(&quoted.script, "; printf '%s\\0' \"$v\"; case \"$v\" in ");
		buf_shell_quote(&quoted.script, words[i]);
		buf_puts(&quoted.script, ") ;; *) exit 9 ;; esac; for w in ");
		buf_shell_quote(&quoted.script, words[i]);
		buf_puts(&quoted.script, "; do printf '%s\\0' \"$w\"; done\n");
		for (int twice = 0; twice < 2; twice++)
			buf_add(&quoted.expected, words[i], strlen(words[i]) + 1);
	}
	assert_shells_agree(f, &quoted);
}

static void plain_words_stay_readable(void **state)
{
	static const char *const words[] = {"-device", "virtio-blk-pci,drive=vda,serial=store",
		"/run/x.sock", "a_b+c:d@e%f", "0"};
	(void)state;
	for (size_t i = 0; i < countof(words); i++) {
		BUF_CLEANUP struct buf buf = {0};
		buf_shell_quote(&buf, words[i]);
		assert_string_equal(buf_text(&buf), words[i]);
	}
}

static void buffers_grow_and_stay_terminated(void **state)
{
	BUF_CLEANUP struct buf buf = {0};
	(void)state;
	assert_string_equal(buf_text(&buf), "");
	buf_add(&buf, NULL, 0);
	assert_string_equal(buf_text(&buf), "");
	for (size_t i = 0; i < 100000; i++) {
		assert_int_equal(buf.n, i * 4);
		buf_printf(&buf, "%s%d", "ab", (int)(i % 90) + 10);
		assert_int_equal(buf.p[buf.n], '\0');
	}
	assert_memory_equal(buf.p + 4 * 99999, "ab19", 5);
	buf_add(&buf, "x\0y", 3);
	assert_memory_equal(buf.p + 400000, "x\0y", 4);
	buf_free(&buf);
	assert_int_equal(buf.n, 0);
	buf_printf(&buf, "%s", "");
	assert_string_equal(buf_text(&buf), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			shells_read_back_the_word, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			shells_read_back_every_byte, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			quoted_words_may_stand_anywhere, fixture_setup, fixture_teardown),
		cmocka_unit_test(plain_words_stay_readable),
		cmocka_unit_test(buffers_grow_and_stay_terminated),
	};
	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <regex.h>

#include "backends/interface/shapes.h"
#include "tests/unit/fixture.h"

static const struct shape *const shapes[] = {&shape_name, &shape_mac, &shape_uuid, &shape_version,
	&shape_serial, &shape_fs_type, &shape_qemu_id, &shape_ipv4, &shape_path, &shape_absolute,
	&shape_search_path, &shape_socket, &shape_mount_point, &shape_store_dir, &shape_overlay,
	&shape_share_tag, &shape_threads, &shape_window};

static const char *const texts[] = {"", " ", "a", "a b", "-a", ".a", "_a", "a.b-c_d", "9", "9a",
	"a+b", "a:b", "a,b", "a\\b", "a\nb", "\n", "ü", "$(id)", "/", "//", "/a", "/a/", "/a//b",
	"/.", "/..", "/...", "/.a", "/..a", "/a/.", "/a/..", "/a/../b", "/a/...", "/a/.b/..c",
	"/a b", "/a:b", "/a,b", "/a\\b", "/a\nb", "a/b", "./a", "../a", "02:00:00:00:00:01",
	"02:00:00:00:00:0G", "03:00:00:00:00:01", "AE:bc:DE:f0:12:34", "02-00-00-00-00-01",
	"02:00:00:00:00", "02:00:00:00:00:01:02", "01234567-89ab-cdef-0123-456789abcdef",
	"01234567-89AB-CDEF-0123-456789ABCDEF", "0123456789abcdef0123456789abcdef",
	"01234567-89ab-cdef-0123-456789abcde", "1", "1.2", "1.2.3.4", "1.2.3.4.5", "1.", ".1",
	"1..2", "1234567890", "0.0.0.0", "255.255.255.255", "256.1.1.1", "1.2.3", "01.2.3.4",
	"10.0.2.15", "`nproc`", "`reboot`", "0", "99999", "100000", "256M", "255M", "1K", "1k",
	"1024", "3G", "4T", "4TB", "0M", "M", "1M ", NULL};

/* A shape's pattern in the schema and its check agree. */
static void a_pattern_matches_fitting_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(shapes); i++) {
		regex_t pattern;
		assert_int_equal(
			regcomp(&pattern, shapes[i]->pattern, REG_EXTENDED | REG_NOSUB), 0);
		for (const char *const *text = texts; *text; text++) {
			const bool fits = shapes[i]->fits(*text),
				   matches = regexec(&pattern, *text, 0, NULL, 0) == 0;
			/* a pattern cannot count: 255M is a window's size by it */
			if (fits != matches && (fits || shapes[i] != &shape_window))
				fail_msg("\"%s\": %s, but %s by %s", *text,
					fits ? "it fits" : "it does not fit",
					matches ? "it does" : "not", shapes[i]->pattern);
		}
		regfree(&pattern);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_pattern_matches_fitting_texts)};
	return cmocka_run_group_tests_name("shapes", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The formats in which a closure can be given, valid and invalid. Nix is not needed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>

#include "fixture.h"
#include "closure_fixture.h"

#define PLAIN "app e3b0c442 100: app lib\nlib ba7816bf 200: data\ndata e3b0c442 300:\n"
#define UNHASHED "app read: app lib\nlib read: data\ndata read:\n"
#define REGISTRATION(hash_a, deriver) \
	"$D\n" HASH_B "\n9\n\n0\n$A\n" hash_a "\n100\n" deriver \
	"\n2\n$B\n$A\n$C\nsha256:" HASH_A_NIX32 "\n300\n\n0\n" \
	"$B\n" HASH_B "\n200\n\n1\n$C\n"

static const struct form {
	const char *name, *text, *expected;
} forms[] = {
	{"dump-db", REGISTRATION(HASH_A, "$R"),
		"app e3b0c442 100 deriver=app.drv: app lib\nlib ba7816bf 200: data\ndata e3b0c442 "
		"300:\n"},
	{"closureInfo", REGISTRATION("sha256:" HASH_A_NIX32, ""), PLAIN},
	{"twice the same", REGISTRATION(HASH_A, "") REGISTRATION(HASH_A, ""), PLAIN},
	{"references repeated", "$A\n" HASH_A "\n1\n\n3\n$C\n$A\n$C\n$C\n" HASH_A "\n2\n\n0\n",
		"app e3b0c442 1: app data\ndata e3b0c442 2:\n"},
	{"no last newline", "$A\n" HASH_A "\n1\n\n1\n$A", "app e3b0c442 1: app\n"},
	{"exportReferencesGraph", "$A\n\n2\n$A\n$B\n$C\n\n0\n$B\n\n1\n$C\n$D\n\n0\n", UNHASHED},
	{"exportReferencesGraph with a deriver", "$A\n$R\n0\n", "app read deriver=app.drv:\n"},
	{"list", "$B\n$C\n$A\n", UNHASHED},
	{"list of one", "$C\n$A\n$B", UNHASHED},
	{"all of a list is wanted", "$D\n$A\n$B\n$C\n$A\n", UNHASHED "other read:\n"},
	{"path-info, list",
		"[{\"path\":\"$A\",\"narHash\":\"sha256-" HASH_A_BASE64
		"\",\"narSize\":100,\"references\":[\"$C\",\"$A\"],\"deriver\":\"$R\","
		"\"registrationTime\":1,\"ultimate\":true,\"signatures\":[\"k-1:x==\",\"k-2:y==\"]}"
		","
		"{\"path\":\"$C\",\"narHash\":\"sha256:" HASH_A_NIX32
		"\",\"narSize\":5,\"references\":[],\"ca\":\"fixed:r:sha256:" HASH_A_NIX32 "\"},"
		"{\"path\":\"$D\",\"valid\":false}]",
		"app e3b0c442 100 deriver=app.drv sigs=k-1:x== k-2:y== ultimate: app data\ndata "
		"e3b0c442 5 ca=fixed:r:sha256:" HASH_A_NIX32 ":\n"},
	{"path-info, format 1",
		" {\"$A\":{\"narHash\":\"sha256-" HASH_A_BASE64
		"\",\"narSize\":100,\"references\":[],\"ca\":null,\"deriver\":null},\"$D\":null}\n",
		"app e3b0c442 100:\n"},
	{"path-info, format 2",
		"{\"version\":2,\"storeDir\":\"$S\",\"info\":{\"$a\":{\"version\":2,\"storeDir\":"
		"\"$S\",\"narHash\":{\"algorithm\":\"sha256\","
		"\"format\":\"base64\",\"hash\":\"" HASH_A_BASE64
		"\"},\"narSize\":7,\"references\":[\"$a\",\"$c\"],\"deriver\":\"$r\","
		"\"signatures\":[\"k:s\"],\"ultimate\":false,\"ca\":null},\"$c\":{\"narHash\":{"
		"\"algorithm\":\"sha256\",\"format\":\"base16\","
		"\"hash\":\"" HASH_A "\"},\"narSize\":8,\"references\":[],\"ca\":{\"method\":"
		"\"text\",\"hash\":{\"algorithm\":\"sha256\","
		"\"format\":\"base64\",\"hash\":\"" HASH_A_BASE64 "\"}}}}}",
		"app e3b0c442 7 deriver=app.drv sigs=k:s: app data\ndata e3b0c442 8 "
		"ca=text:sha256:" HASH_A_NIX32 ":\n"},
	{"path-info, format 3",
		"{\"$a\":{\"version\":3,\"storeDir\":\"$S\",\"narHash\":\"sha256-" HASH_A_BASE64
		"\",\"narSize\":7,\"references\":[],"
		"\"signatures\":[{\"keyName\":\"k\",\"sig\":\"s==\"}],\"ca\":{\"method\":\"nar\","
		"\"hash\":\"sha256-" HASH_A_BASE64 "\"}}}",
		"app e3b0c442 7 sigs=k:s== ca=fixed:r:sha256:" HASH_A_NIX32 ":\n"},
	{"structured attributes",
		"{\"name\":\"x\",\"outputs\":{\"out\":\"$D\"},\"list\":[1,{}],\"first\":[{\"path\":"
		"\"$A\",\"narHash\":\"sha256:" HASH_A_NIX32 "\","
		"\"narSize\":1,\"references\":[\"$C\"],\"valid\":true,\"closureSize\":9},{\"path\":"
		"\"$C\",\"narHash\":\"sha256:" HASH_A_NIX32
		"\",\"narSize\":2,\"references\":[]}],\"second\":[{\"path\":\"$C\",\"narHash\":"
		"\"sha256:" HASH_A_NIX32 "\",\"narSize\":2,"
		"\"references\":[]}]}",
		"app e3b0c442 1: data\ndata e3b0c442 2:\n"},
};

static void every_format_is_read(void **state)
{
	struct fixture *f = *state;
	const char *file = scratch_path(f, "closure");
	for (size_t i = 0; i < countof(forms); i++) {
		struct closure closure;
		put_file(f, file, forms[i].text);
		if (!load(f, expand(f, "$A"), file, &closure))
			fail_msg("%s: %s", forms[i].name, messages(f));
		/* Paths are sorted by name: app, lib, data, other. */
		if (strcmp(render(f, &closure), forms[i].expected) != 0)
			fail_msg("%s: expected\n%sgot\n%s", forms[i].name, forms[i].expected,
				render(f, &closure));
		assert_string_equal(closure.source, file);
		assert_string_equal(closure.store_dir, store_dir(f));
	}
}

static const struct form mistakes[] = {
	{"empty", "", "app is not in "},
	{"junk", "hello\n", "closure:1:1: error: line \"hello\" is not a path of the store"},
	{"junk behind a path", "$A\nhello\n",
		"closure:2:1: error: $A: \"hello\" is not a SHA-256 hash"},
	{"ends after the path", "$A\n" HASH_A "\n",
		"closure:2:1: error: the file ends where the NAR size of $A should be"},
	{"ends in the references", "$A\n" HASH_A "\n1\n\n2\n$A\n",
		"closure:6:1: error: the file ends where a reference of $A should be"},
	{"size is no number", "$A\n" HASH_A "\n-1\n\n0\n",
		"closure:3:1: error: the NAR size of $A must be a number, found \"-1\""},
	{"size too large", "$A\n" HASH_A "\n9223372036854775808\n\n0\n",
		"closure:3:1: error: the NAR size"},
	{"no count", "$A\n" HASH_A "\n1\n\n\n", "closure:5:1: error: the number of references"},
	{"count too small", "$A\n" HASH_A "\n1\n\n0\n$A\n$B\n",
		"closure:7:1: error: $A: \"$B\" is not a SHA-256 hash"},
	{"count too large", "$A\n" HASH_A "\n1\n\n2\n$A\n" HASH_A "\n",
		"closure:7:1: error: reference \"" HASH_A "\" is not a path"},
	{"huge count", "$A\n" HASH_A "\n1\n\n9223372036854775807\n$A\n",
		"closure:5:1: error: the number of references is larger than the rest"},
	{"large count", "$A\n\n100000000\n$A\n",
		"closure:3:1: error: the number of references is larger than the rest"},
	{"bad hash", "$A\nsha256:zz\n1\n\n0\n",
		"closure:2:1: error: $A: \"sha256:zz\" is not a SHA-256 hash"},
	{"bad deriver", "$A\n" HASH_A "\n1\n/tmp/x.drv\n0\n",
		"closure:4:1: error: $A: its deriver \"/tmp/x.drv\" is not a store path"},
	{"two hashes", "$A\n" HASH_A "\n1\n\n0\n$A\n" HASH_B "\n1\n\n0\n",
		"closure:6:1: error: $A is described twice, with different hashes"},
	{"other store", "/gnu/store/0a000000000000000000000000000000-app\n",
		"it is outside of the store directory"},
	{"the store itself", "$S/\n", "it is outside of the store directory"},
	{"inside a path", "$A/bin\n",
		"its name contains a character that store paths may not contain"},
	{"hash with an e", "$S/0e000000000000000000000000000000-app\n",
		"does not start with a 32-character hash"},
	{"no name", "$S/0a000000000000000000000000000000-\n", "no \"-NAME\""},
	{"space in the name", "$S/0a000000000000000000000000000000-a b\n",
		"a character that store paths may not contain"},
	{"reference not described", "$A\n\n1\n$B\n",
		"closure:1:1: error: $B, to which $A refers, is not in "},
	{"root not described", "$B\n\n0\n", "$A is not in "},
	{"does not exist", "$A\n\n1\n$R\n$R\n\n0\n",
		"closure:5:1: error: $R does not exist; $A refers to it"},
	{"list: does not exist", "$A\n$B\n$C\n$R\n", "closure:4:1: error: $R does not exist"},
	{"half JSON",
		"[\n{\"path\":", "closure:2:1: error: the file ends in the middle of a JSON value"},
	{"not JSON", "{\n\n\"a\" 1}", "closure:3:1: error: this is not valid JSON"},
	{"two JSON values", "[]\n[]", "closure:2:1: error: this is not valid JSON"},
	{"no path", "[{}]", "an entry has no \"path\""},
	{"path is a number", "[{\"path\":1}]", "an entry has no \"path\""},
	{"entry is a list", "{\"$A\":[]}", "$A: its description is not an object"},
	{"no references", "[{\"path\":\"$A\"}]", "$A: references is not an array"},
	{"reference is a number", "[{\"path\":\"$A\",\"references\":[1]}]",
		"$A: a reference is not a string"},
	{"JSON hash", "[{\"path\":\"$A\",\"references\":[],\"narHash\":\"sha256-x\"}]",
		"$A: \"sha256-x\" is not a SHA-256 hash"},
	{"JSON hash is a number", "[{\"path\":\"$A\",\"references\":[],\"narHash\":3}]",
		"$A: narHash is not a hash"},
	{"JSON hash of another kind",
		"[{\"path\":\"$A\",\"references\":[],\"narHash\":{\"algorithm\":\"md5\",\"hash\":"
		"\"x\"}}]",
		"\"md5:x\" is not"},
	{"JSON size", "[{\"path\":\"$A\",\"references\":[],\"narSize\":-3}]",
		"$A: narSize is not a number of bytes"},
	{"JSON ca", "[{\"path\":\"$A\",\"references\":[],\"ca\":{\"method\":\"x\"}}]",
		"$A: ca is not a content address"},
	{"JSON signatures", "[{\"path\":\"$A\",\"references\":[],\"signatures\":[{}]}]",
		"$A: a signature is neither a string"},
	{"JSON of another store", "[{\"path\":\"$A\",\"storeDir\":\"/x\",\"references\":[]}]",
		"the storeDir of $A is \"/x\", expected \"$S\""},
	{"JSON string with a 0 byte", "[{\"path\":\"$A\\u0000\",\"references\":[]}]",
		"an entry has no \"path\""},
	{"JSON: unknown to Nix", "{\"$A\":null}", "$A is not in "},
	{"attributes without a graph", "{\"name\":\"x\"}", "$A is not in "},
};

static void every_mistake_is_reported(void **state)
{
	struct fixture *f = *state;
	const char *file = scratch_path(f, "closure");
	for (size_t i = 0; i < countof(mistakes); i++) {
		struct closure closure;
		put_file(f, file, mistakes[i].text);
		if (load(f, expand(f, "$A"), file, &closure))
			fail_msg("%s was read", mistakes[i].name);
		const char *said = messages(f), *expected = expand(f, mistakes[i].expected);
		if (!strstr(said, expected))
			fail_msg("%s: expected \"%s\" in: %s", mistakes[i].name, expected, said);
		assert_int_equal(diag_status(f->diag), STATUS_INPUT);
	}
}

/*
 * A file that is truncated anywhere, or has any byte changed, is either read or refused with a
 * message.
 */
static void damaged_files_are_read_or_refused(void **state)
{
	struct fixture *f = *state;
	const char *file = scratch_path(f, "closure"), *root = expand(f, "$A");
	for (size_t i = 0; i < countof(forms); i++) {
		char *text = arena_strdup(f->arena, expand(f, forms[i].text));
		size_t length = strlen(text), step = length / 40 + 1;
		for (size_t at = 0; at < length; at += step) {
			struct closure closure;
			unlink(file);
			assert_ok(f, file_write(f->diag, file, text, at, 0644));
			load(f, root, file, &closure);
			char kept = text[at];
			text[at] = "\n\0Z9\xff"[at / step % 5];
			unlink(file);
			assert_ok(f, file_write(f->diag, file, text, length, 0644));
			load(f, root, file, &closure);
			text[at] = kept;
			messages(f);
		}
	}
}

static void closure_info_directories_are_read(void **state)
{
	struct fixture *f = *state;
	const char *directory = scratch_path(f, "info");
	assert_ok(f, directory_make(f->diag, directory, 0755));
	struct closure closure;
	assert_false(load(f, expand(f, "$A"), directory, &closure));
	assert_said(f, "contains neither \"registration\" nor \"store-paths\"");
	put_file(f, path_join(f->arena, directory, "store-paths"), "$B\n$A\n$C\n");
	assert_closure(f, expand(f, "$A"), directory, UNHASHED);
	put_file(f, path_join(f->arena, directory, "registration"), REGISTRATION(HASH_A, ""));
	assert_closure(f, expand(f, "$A"), directory, PLAIN);
	put_file(f, path_join(f->arena, directory, "registration"), "");
	assert_closure(f, NULL, directory, "");
}

static void roots_are_checked(void **state)
{
	struct fixture *f = *state;
	const char *file = scratch_path(f, "closure");
	put_file(f, file, "$C\n\n0\n$D\n\n0\n");
	const char *link = scratch_path(f, "result");
	assert_int_equal(symlink(expand(f, "$D"), link), 0);
	const char *good[] = {
		expand(f, "$D/bin/init"), expand(f, "$C"), expand(f, "$D"), expand(f, "$C/")};
	struct closure_request request = {
		.store_dir = expand(f, "$S//"), .file = file, .roots = {good, countof(good), 0}};
	struct closure closure;
	assert_ok(f, closure_load(f->arena, f->diag, &request, &closure));
	assert_string_equal(render(f, &closure), "data read:\nother read:\n");

	const char *bad[] = {"/tmp", link, expand(f, "$S"), expand(f, "$Sx/y"),
		expand(f, "$S/.links/x"), expand(f, "$R"), expand(f, "$A")};
	struct pos places[countof(bad)];
	for (size_t i = 0; i < countof(bad); i++)
		places[i] = (struct pos){"vm.yaml", (unsigned)i + 1, 3, 1};
	request.roots = (struct strings){bad, countof(bad), 0};
	request.roots_pos = places;
	assert_false(closure_load(f->arena, f->diag, &request, &closure));
	assert_int_equal(diag_error_count(f->diag), countof(bad));
	const char *said = messages(f);
	static const char *const expected[] = {
		"vm.yaml:1:3: error: /tmp is outside of the store directory $S [",
		"/result is outside of the store directory $S; it is a link to $D [",
		"vm.yaml:3:3: error: $S is outside of the store directory",
		"vm.yaml:4:3: error: $Sx/y is outside of the store directory",
		"vm.yaml:5:3: error: root \"$S/.links\" is not a path of the store $S: its name "
		"does not start with a 32-character hash",
		"vm.yaml:6:3: error: $R does not exist",
		"vm.yaml:7:3: error: $A is not in ",
	};
	for (size_t i = 0; i < countof(expected); i++)
		if (!strstr(said, expand(f, expected[i])))
			fail_msg("expected \"%s\" in: %s", expand(f, expected[i]), said);
}

static void many_errors_are_counted(void **state)
{
	struct fixture *f = *state;
	BUF_CLEANUP struct buf text = {0};
	buf_puts(&text, "$A\n\n33\n");
	for (int i = 0; i < 33; i++)
		buf_printf(&text, "$S/%032d-missing\n", i);
	const char *file = scratch_path(f, "closure");
	put_file(f, file, buf_text(&text));
	struct closure closure;
	assert_false(load(f, expand(f, "$A"), file, &closure));
	assert_int_equal(diag_error_count(f->diag), 21);
	const char *said = messages(f);
	assert_non_null(strstr(said,
		expand(f,
			"$S/00000000000000000000000000000019-missing does not exist; $A refers to "
			"it")));
	assert_non_null(strstr(said, "the closure has 13 more errors"));
}

static void explicit_file_is_never_replaced(void **state)
{
	struct fixture *f = *state;
	struct closure_request request = {
		.store_dir = store_dir(f), .file = scratch_path(f, "nothing")};
	struct pos where = {"vm.yaml", 7, 10, 1};
	request.file_pos = &where;
	struct closure closure;
	assert_false(closure_load(f->arena, f->diag, &request, &closure));
	assert_said(f,
		arena_printf(f->arena, "vm.yaml:7:10: error: cannot read %s: No such file",
			request.file));
	assert_int_equal(diag_status(f->diag), STATUS_INPUT);
}

static void attributes_of_the_derivation_are_read(void **state)
{
	struct fixture *f = *state;
	const char *file = scratch_path(f, ".attrs.json");
	put_file(f, file,
		"{\"g\":[{\"path\":\"$C\",\"narHash\":\"sha256:" HASH_B
		"\",\"narSize\":4,\"references\":[]}]}");
	assert_closure(f, expand(f, "$C"), NULL, "data read:\n");
	setenv("NIX_BUILD_TOP", f->scratch, 1);
	assert_closure(f, expand(f, "$C"), NULL, "data ba7816bf 4:\n");
	/* The file does not list app, so the next source is used. */
	assert_closure(f, expand(f, "$A"), NULL, UNHASHED);
	/* Nix 2.8 gives the path of the file outside its sandbox. */
	setenv("NIX_ATTRS_JSON_FILE", "/nowhere", 1);
	assert_closure(f, expand(f, "$C"), NULL, "data ba7816bf 4:\n");
	unsetenv("NIX_BUILD_TOP");
	assert_closure(f, expand(f, "$C"), NULL, "data read:\n");
	setenv("NIX_ATTRS_JSON_FILE", file, 1);
	assert_closure(f, expand(f, "$C"), NULL, "data ba7816bf 4:\n");
	put_file(f, file, "{\"g\":[{\"path\":");
	struct closure closure;
	assert_false(load(f, expand(f, "$C"), NULL, &closure));
	assert_said(f, "the file ends in the middle");
}

/* ---- the scan ---- */

static void put_at(const char *path, off_t offset, const char *text)
{
	FD_CLEANUP int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0 && fd_write_all(fd, text, strlen(text), offset));
}

static void scan_finds_the_references_nix_finds(void **state)
{
	struct fixture *f = *state;
	assert_closure(f, expand(f, "$A"), NULL, UNHASHED);
	/* Nix leaves files beside a path whose names contain the path's hash. */
	put_file(f, expand(f, "$B.lock"), "");
	put_file(f, expand(f, "$B.chroot"), "");
	assert_closure(f, expand(f, "$A"), NULL, UNHASHED);
	/* A file name that is only a hash. */
	put_file(f, path_join(f->arena, expand(f, "$A/bin"), "0d000000000000000000000000000000"),
		"");
	assert_closure(f, expand(f, "$A"), NULL,
		"app read: app lib other\nlib read: data\ndata read:\nother read:\n");
}

static void scan_reads_every_byte(void **state)
{
	struct fixture *f = *state;
	static const off_t offsets[] = {
		0, 1, 4095, 262112, 262113, 262127, 262143, 262144, 262145, 524256, 1000003};
	for (size_t i = 0; i < countof(offsets); i++) {
		const char *path = expand(f, "$D");
		unlink(path);
		put_at(path, offsets[i], "0c000000000000000000000000000000");
		put_at(path, offsets[i] + 32, i % 2 ? "zzzz" : "");
		assert_closure(f, path, NULL, "data read:\nother read: data\n");
	}
	/*
	 * Hash digits before the hash, so that the scan must find it inside a longer run of digits.
	 */
	put_file(f, expand(f, "$D"),
		"0000000000000000000000000000c00c0000000000000000000000000000000c");
	assert_closure(f, expand(f, "$D"), NULL, "data read:\nother read: data\n");
	put_file(f, expand(f, "$D"),
		"0C000000000000000000000000000000 "
		"0c00000000000000000000000000000-0c0000000000000000000000000000000");
	assert_closure(f, expand(f, "$D"), NULL, "data read:\nother read: data\n");
	put_file(f, expand(f, "$D"),
		"0C000000000000000000000000000000 0c00000000000000000000000000000");
	assert_closure(f, expand(f, "$D"), NULL, "other read:\n");
}

static void incomplete_list_is_noticed(void **state)
{
	struct fixture *f = *state;
	const char *file = scratch_path(f, "list");
	put_file(f, file, "$A\n$B\n");
	assert_closure(f, expand(f, "$A"), file, "app read: app lib\nlib read:\n");
	assert_said(f, expand(f, "warning: $B/link contains the hash of $C, which is not in "));
}

static void unreadable_file_stops_the_scan(void **state)
{
	struct fixture *f = *state;
	if (geteuid() == 0) {
		print_message("skipped: root may read everything\n");
		skip();
	}
	assert_int_equal(chmod(expand(f, "$A/bin/app"), 0), 0);
	struct closure closure;
	assert_false(load(f, expand(f, "$A"), NULL, &closure));
	assert_said(f, expand(f, "cannot read $A/bin/app: Permission denied"));
}

static void pipe_stops_the_scan(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(mkfifo(expand(f, "$C.pipe"), 0644), 0);
	assert_int_equal(rename(expand(f, "$C.pipe"), expand(f, "$A/bin/pipe")), 0);
	struct closure closure;
	assert_false(load(f, expand(f, "$A"), NULL, &closure));
	assert_said(f, expand(f, "$A/bin/pipe is not a regular file, a directory"));
	/* A source that has references but no hashes makes us read the files too. */
	put_file(f, scratch_path(f, "graph"), "$A\n\n0\n");
	assert_false(load(f, expand(f, "$A"), scratch_path(f, "graph"), &closure));
	assert_said(f, expand(f, "$A/bin/pipe is not a regular file, a directory"));
}

enum { PATHS = 60 };

static const char *numbered(struct fixture *f, unsigned number)
{
	return arena_printf(f->arena, "%s/%032u-p", store_dir(f), number);
}

/* Each path refers to two later ones and to one that is not in the list. */
static const char *make_numbered(struct fixture *f)
{
	BUF_CLEANUP struct buf list = {0};
	for (unsigned i = 1; i <= PATHS; i++) {
		put_file(f, numbered(f, i),
			arena_printf(f->arena, "%s %s %s", numbered(f, 2 * i),
				numbered(f, 2 * i + 1), numbered(f, 1000 + i)));
		put_file(f, numbered(f, 1000 + i), "");
		buf_printf(&list, "%s\n", numbered(f, i));
	}
	for (unsigned i = PATHS + 1; i <= 2 * PATHS + 1; i++)
		put_file(f, numbered(f, i), "");
	put_file(f, scratch_path(f, "list"), buf_text(&list));
	return scratch_path(f, "list");
}

static void the_number_of_threads_changes_nothing(void **state)
{
	struct fixture *f = *state;
	const char *list = make_numbered(f), *root = numbered(f, 1);
	for (int listed = 0; listed < 2; listed++) {
		const char *first = NULL, *said = NULL;
		for (unsigned jobs = 1; jobs < 9; jobs++) {
			struct closure_request request = {.roots = {&root, 1, 0},
				.store_dir = store_dir(f),
				.state_dir = scratch_path(f, "none"),
				.file = listed ? list : NULL,
				.jobs = jobs};
			struct closure closure;
			assert_ok(f, closure_load(f->arena, f->diag, &request, &closure));
			assert_int_equal(closure.n, listed ? PATHS : 3 * PATHS + 1);
			const char *text = render(f, &closure), *now = messages(f);
			assert_string_equal(text, first ? first : text);
			assert_string_equal(now, said ? said : now);
			first = text;
			said = now;
		}
		assert_true(listed == (strstr(said, " more") != NULL));
	}
}

static const char *text_with(
	struct fixture *f, struct closure_memo *memo, const char *root, const char *file)
{
	struct closure_request request = {.roots = {&root, 1, 0},
		.store_dir = store_dir(f),
		.state_dir = scratch_path(f, "none"),
		.file = file,
		.jobs = 2,
		.memo = memo};
	struct closure closure;
	assert_ok(f, closure_load(f->arena, f->diag, &request, &closure));
	return arena_printf(f->arena, "%s%s", render(f, &closure), messages(f));
}

/*
 * Whatever the first load recorded about a path in the memo, a second load gets the same result as
 * without a memo, and reads no file again.
 */
static void further_closures_read_nothing_again(void **state)
{
	struct fixture *f = *state;
	const char *const files[] = {NULL, scratch_path(f, "list"), scratch_path(f, "graph")};
	put_file(f, files[1], "$A\n$B\n"); /* leaves out $C, with a warning */
	put_file(f, files[2], "$A\n\n1\n$B\n$B\n\n0\n");
	for (size_t first = 0; first < countof(files); first++)
		for (size_t second = 0; second < countof(files); second++) {
			struct closure_memo *memo = closure_memo_new();
			const char *root = expand(f, "$A"),
				   *alone = text_with(f, NULL, root, files[second]);
			text_with(f, memo, root, files[first]);
			assert_string_equal(text_with(f, memo, root, files[second]), alone);
			put_file(f, expand(f, "$A/bin/app"), "something else");
			const char *again = text_with(f, memo, root, files[second]);
			put_file(f, expand(f, "$A/bin/app"), "#! $B/bin/sh\nexec $A/bin/real\n");
			assert_null(strstr(again, "app read"));
			assert_string_equal(text_with(f, memo, root, files[second]), alone);
			closure_memo_free(memo);
		}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			every_format_is_read, closure_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			every_mistake_is_reported, closure_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			damaged_files_are_read_or_refused, closure_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			closure_info_directories_are_read, closure_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(roots_are_checked, closure_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			many_errors_are_counted, closure_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			explicit_file_is_never_replaced, closure_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			attributes_of_the_derivation_are_read, closure_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			scan_finds_the_references_nix_finds, closure_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			scan_reads_every_byte, closure_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			incomplete_list_is_noticed, closure_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			unreadable_file_stops_the_scan, closure_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			pipe_stops_the_scan, closure_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			the_number_of_threads_changes_nothing, closure_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			further_closures_read_nothing_again, closure_setup, fixture_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Checked by Nix itself, in its own store with every kind of path: outputs, sources, texts, fixed
 * outputs, derivations and signatures.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sqlite3.h>
#include <time.h>

#include "compiler/closure/closure.h"
#include "imaging/store/database.h"
#include "tests/unit/fixture.h"

/* Makes Nix use the store in the scratch directory. */
static const char use_nix[] = "root=$(pwd -P)\n"
			      "unset NIX_REMOTE NIX_PATH\n"
			      "export NIX_STORE_DIR=\"$root/store\" NIX_STATE_DIR=\"$root/state\" "
			      "NIX_LOCALSTATE_DIR=\"$root/state\"\n"
			      "export NIX_LOG_DIR=\"$root/log\" NIX_CONF_DIR=\"$root/etc\" "
			      "NIX_USER_CONF_FILES='' HOME=\"$root/home\"\n"
			      "export NIX_CONFIG='sandbox = false\nbuild-users-group =\nsubstitute "
			      "= false\nexperimental-features = nix-command'\n";

static const char expression[] =
	"let make = name: script: derivation ({ inherit name; system = builtins.currentSystem; "
	"builder = \"/bin/sh\";\n"
	"      args = [ \"-ec\" script ]; PATH = \"/bin:/usr/bin\"; });\n"
	"  text = builtins.toFile \"text\" \"a text\\n\";\n"
	"  source = builtins.path { name = \"source\"; path = ./source; };\n"
	"  fixed = derivation { name = \"fixed\"; system = builtins.currentSystem; builder = "
	"\"/bin/sh\"; args = [ \"-ec\" \"echo fixed >$out\" ];\n"
	"    outputHashMode = \"flat\"; outputHashAlgo = \"sha256\";\n"
	"    outputHash = \"0c3071418e6356e614898c84ed064ca95e88551bc0811b534bdf1952ecdae534\"; "
	"};\n"
	"  two = derivation { name = \"two\"; system = builtins.currentSystem; builder = "
	"\"/bin/sh\"; outputs = [ \"out\" \"dev\" ];\n"
	"    args = [ \"-ec\" \"echo ${text} >$out; echo $out >$dev\" ]; };\n"
	"  self = make \"self\" \"echo $out >$out\";\n"
	"in make \"top\" ''mkdir $out; echo ${text} ${source} ${fixed} ${two.out} ${two.dev} "
	"${self} >$out/needs\n"
	"  echo ${builtins.unsafeDiscardOutputDependency two.drvPath} "
	"${builtins.unsafeDiscardOutputDependency fixed.drvPath} >>$out/needs''\n";

static const char *nix(struct fixture *f, const char *script, const char *first, const char *second)
{
	return shell(f, arena_printf(f->arena, "%s%s", use_nix, script), first, second);
}

/* Builds and signs the closure, then loads it with the compiler's own reader. */
static struct closure build_closure(struct fixture *f)
{
	assert_ok(f,
		file_write(
			f->diag, scratch_path(f, "top.nix"), expression, strlen(expression), 0644));
	const char *top = nix(f,
		"mkdir home source; echo data >source/file; echo 'echo run' >source/run; chmod +x "
		"source/run; ln -s file source/link\n"
		"nix key generate-secret --key-name test-1 >key\n"
		"top=$(nix-build --no-out-link top.nix 2>log.txt) || { cat log.txt >&2; exit 1; }\n"
		"nix store sign -k key --recursive $(nix-store -qR \"$top\")\n"
		"printf %s \"$top\"",
		NULL, NULL);
	struct closure_request request = {
		.store_dir = scratch_path(f, "store"), .state_dir = scratch_path(f, "state")};
	vec_push(f->arena, &request.roots, top);
	struct closure closure;
	assert_ok(f, closure_load(f->arena, f->diag, &request, &closure));
	assert_in_range(closure.n, 9, 20);
	return closure;
}

static const char *make_directory(struct fixture *f, const char *name)
{
	const char *directory = scratch_path(f, name);
	assert_ok(f, directory_make(f->diag, directory, 0755));
	return directory;
}

static const char *find_root(const struct closure *closure)
{
	for (size_t i = 0; i < closure->n; i++)
		if (strcmp(path_base(closure->v[i].path) + 32, "-top") == 0)
			return closure->v[i].path;
	fail_msg("no top in the closure");
	return NULL;
}

static void nix_accepts_the_database(void **state)
{
	struct fixture *f = *state;
	if (!have_program(f, "nix-build"))
		skip();
	struct closure closure = build_closure(f);
	const char *top = find_root(&closure);
	assert_ok(f, nix_db_write(f->diag, make_directory(f, "new/db"), &closure, 1));
	nix(f,
		"nix-store -qR \"$1\" | LC_ALL=C sort >paths; nix path-info -rS \"$1\" | LC_ALL=C "
		"sort >sizes; nix path-info -r --json \"$1\" >json",
		top, NULL);
	nix(f,
		"NIX_STATE_DIR=$root/new\n"
		"nix-store --verify --check-contents 2>said || { cat said >&2; exit 1; }\n"
		"! grep -i 'disappeared\\|modified\\|invalid\\|error\\|corrupt' said >&2 || exit "
		"1\n"
		"nix-store -qR \"$1\" | LC_ALL=C sort | diff paths -\n"
		"nix path-info -rS \"$1\" | LC_ALL=C sort | diff sizes -\n"
		"nix path-info -r --json \"$1\" | sed 's/\"registrationTime\":[0-9]*//g' "
		">new.json; sed 's/\"registrationTime\":[0-9]*//g' json | diff - new.json\n"
		"drv=$(grep -- '-two.drv$' paths); test \"$(nix-store -q --outputs \"$drv\" | wc "
		"-l)\" = 2\n"
		"test \"$(nix-store -q --deriver \"$(grep -- '-two-dev$' paths)\")\" = \"$drv\"\n"
		"mkdir -p new/gcroots; ln -s \"$1\" new/gcroots/top\n"
		"nix-store --gc --print-dead 2>/dev/null >dead; ! grep -Fx -f paths dead >&2 || "
		"exit 1\n"
		"nix-store --gc --print-live 2>/dev/null | LC_ALL=C sort | diff paths -\n"
		"rm new/gcroots/top; nix-store --gc --print-dead 2>/dev/null | grep -Fx -f paths | "
		"LC_ALL=C sort | diff paths -\n"
		/*
		 * Nix can continue with this database: it adds paths, and collects only those
		 * without a root.
		 */
		"ln -s \"$1\" new/gcroots/top; echo more >more; more=$(nix-store --add more); "
		"nix-store -q --hash \"$more\" >/dev/null\n"
		"nix-store --gc >/dev/null 2>&1; ! test -e \"$more\" || exit 1; xargs ls -d <paths "
		">/dev/null; nix-store --verify --check-contents",
		top, NULL);
}

/* A guest with `use-sqlite-wal = false` opens it too. */
static void nix_without_wal_accepts_it(void **state)
{
	struct fixture *f = *state;
	if (!have_program(f, "nix-build"))
		skip();
	struct closure closure = build_closure(f);
	assert_ok(f, nix_db_write(f->diag, make_directory(f, "new/db"), &closure, 1));
	nix(f,
		"NIX_STATE_DIR=$root/new; export NIX_CONFIG=\"$NIX_CONFIG\nuse-sqlite-wal = "
		"false\"; nix-store --verify; nix-store -qR \"$1\" >/dev/null",
		find_root(&closure), NULL);
}

/* Each row equals the one that Nix wrote, except for ids and times. */
static void rows_equal_those_of_nix(void **state)
{
	static const char *const queries[] = {
		"select path, hash, deriver, narSize, ultimate, sigs, ca from ValidPaths",
		"select a.path, b.path from Refs join ValidPaths a on a.id = referrer join "
		"ValidPaths b on b.id = reference",
		"select a.path, d.id, d.path from DerivationOutputs d join ValidPaths a on a.id = "
		"d.drv",
	};
	/*
	 * Nix's database covers the whole store: its additional rows must be about paths outside
	 * the closure.
	 */
	static const char script[] =
		"sqlite3 new/db.sqlite \"$1\" | sort >ours; sqlite3 state/db/db.sqlite \"$1\" | "
		"sort >theirs; test -s ours\n"
		"comm -23 ours theirs >&2; test -z \"$(comm -23 ours theirs)\"\n"
		"sqlite3 new/db.sqlite 'select path from ValidPaths' >known\n"
		"comm -13 ours theirs | cut -d '|' -f 1 >more; ! grep -Fx -f known more >&2";
	struct fixture *f = *state;
	if (!have_program(f, "nix-build") || !have_program(f, "sqlite3"))
		skip();
	struct closure closure = build_closure(f);
	assert_ok(f, nix_db_write(f->diag, make_directory(f, "new"), &closure, 1));
	for (size_t i = 0; i < countof(queries); i++)
		shell(f, script, queries[i], NULL);
	const char *kinds = shell(f,
		"sqlite3 new/db.sqlite \"select count(ca) > 1, count(deriver) > 2, count(sigs) = "
		"count(*), count(ultimate) > 2,"
		" min(registrationTime) = 1 and max(registrationTime) = 1, (select count(*) from "
		"Refs where referrer = reference) > 0,"
		" (select count(*) from DerivationOutputs) from ValidPaths\"",
		NULL, NULL);
	assert_string_equal(kinds, "1|1|1|1|1|1|3\n");
}

/* ---- synthetic closures ---- */

static struct closure paper_closure(struct fixture *f, size_t count)
{
	struct store_path *paths = arena_alloc(f->arena, count * sizeof *paths);
	for (size_t i = 0; i < count; i++) {
		char *path = arena_printf(
			f->arena, "/nix/store/%032zu-package-%zu", i, i * 7919 % 100000);
		size_t *refs = arena_alloc(f->arena, 7 * sizeof *refs), n = 0;
		for (size_t back = 6 < i ? 6 : i; back > 0; back--)
			refs[n++] = i - back;
		refs[n++] = i;
		paths[i] = (struct store_path){
			.path = path,
			.name = path_base(path),
			.nar_hash = arena_printf(f->arena, "%064zx", i * 2654435761u),
			.nar_size = i % 5 ? (int64_t)i * 1000 : -1,
			.deriver =
				i % 3 ? "/nix/store/00000000000000000000000000000000-x.drv" : NULL,
			.sigs = i % 4 ? "" : "a:b c:d",
			.ultimate = i % 2,
			.refs = refs,
			.nrefs = n,
		};
	}
	return (struct closure){paths, count, "/nix/store", "a test"};
}

/* Sets the defaults that a differently built SQLite library could have. */
static int other_defaults(sqlite3 *db, const char **message, const struct sqlite3_api_routines *api)
{
	(void)message;
	(void)api;
	return sqlite3_exec(db,
		"pragma page_size = 1024; pragma encoding = 'UTF-16le'; pragma secure_delete = on;"
		"pragma foreign_keys = on; pragma journal_mode = persist",
		NULL, NULL, NULL);
}

static void equal_closures_give_equal_bytes(void **state)
{
	struct fixture *f = *state;
	struct closure closure = paper_closure(f, 500);
	mode_t mask = umask(077);
	assert_ok(f, nix_db_write(f->diag, make_directory(f, "one"), &closure, 1));
	umask(0);
	sqlite3_auto_extension((void (*)(void))other_defaults);
	assert_ok(f, nix_db_write(f->diag, make_directory(f, "two"), &closure, 1));
	sqlite3_reset_auto_extension();
	umask(mask);
	assert_same_contents(f, scratch_path(f, "one/db.sqlite"), scratch_path(f, "two/db.sqlite"));
	assert_string_equal(
		shell(f, "ls one; stat -c %a one/*; ls two; stat -c %a two/*", NULL, NULL),
		"db.sqlite\nschema\n644\n644\ndb.sqlite\nschema\n644\n644\n");
	struct bytes schema = contents(f, scratch_path(f, "one/schema")),
		     db = contents(f, scratch_path(f, "one/db.sqlite"));
	assert_int_equal(schema.n, 2);
	assert_memory_equal(schema.p, "10", 2);
	assert_memory_equal(db.p, "SQLite format 3\0\x10\x00\x01\x01\x00", 21);
	if (have_program(f, "sqlite3"))
		assert_string_equal(shell(f,
					    "sqlite3 one/db.sqlite 'pragma integrity_check; pragma "
					    "foreign_key_check'",
					    NULL, NULL),
			"ok\n");
	assert_ok(f,
		nix_db_write(f->diag, make_directory(f, "empty"),
			&(struct closure){NULL, 0, "/nix/store", ""}, 1));
}

static void large_closures_are_fast(void **state)
{
	struct fixture *f = *state;
	struct closure closure = paper_closure(f, 20000);
	clock_t before = clock();
	assert_ok(f, nix_db_write(f->diag, make_directory(f, "db"), &closure, 1));
	double seconds = (double)(clock() - before) / CLOCKS_PER_SEC;
	print_message("20000 paths, 139979 references: %.2f s of CPU time\n", seconds);
	/* 0.3 s measured; the limit leaves room for sanitizers and busy machines. */
	assert_true(seconds < 5);
}

static void assert_refused(struct fixture *f, const struct closure *closure, const char *reason)
{
	const char *directory = make_directory(f, "refused");
	assert_false(nix_db_write(f->diag, directory, closure, 1));
	assert_said(f, reason);
	assert_string_equal(shell(f, "ls -A refused", NULL, NULL), "");
}

static void refuses_rows_nix_would_refuse(void **state)
{
	struct fixture *f = *state;
	struct store_path path = {
		.path = scratch_path(f, "x.drv"), .nar_hash = NULL, .nar_size = 1};
	struct closure closure = {&path, 1, f->scratch, ""};
	assert_refused(f, &closure, " is unknown");
	path.nar_hash = "sha256:00000000000000000000000000000000000000000000000000000000000";
	assert_refused(f, &closure, " is unknown");
	path.nar_hash = "0000000000000000000000000000000000000000000000000000000000000000";
	assert_refused(f, &closure, "x.drv: No such file or directory");
	static const char *const broken[] = {"", "Derive(", "Derive([(\"out\",\"/x\",\"\",\"\"",
		"Derive([],[", "Derive([(\"out\",\"/x\",\"\",\"\")", "\\"};
	for (size_t i = 0; i < countof(broken); i++) {
		unlink(path.path);
		assert_ok(f, file_write(f->diag, path.path, broken[i], strlen(broken[i]), 0644));
		assert_refused(f, &closure, "x.drv is not a derivation");
	}
	path = (struct store_path){.path = "/nix/store/x",
		.nar_hash = path.nar_hash,
		.refs = (const size_t[]){1},
		.nrefs = 1};
	assert_refused(f, &closure, "refers to a path outside the closure");
	path.nrefs = 0;
	const char *mine = scratch_path(f, "refused/schema");
	assert_ok(f, file_write(f->diag, mine, "mine", 4, 0644));
	assert_false(nix_db_write(f->diag, scratch_path(f, "refused"), &closure, 1));
	assert_said(f, "schema: File exists");
	assert_string_equal(
		shell(f, "ls -A refused; cat refused/schema", NULL, NULL), "schema\nmine");
	assert_false(nix_db_write(f->diag, scratch_path(f, "missing"), &closure, 1));
	assert_said(f, "missing/db.sqlite: No such file or directory");
}

/* Escapes, several outputs, outputs without a path, and the newer header. */
static void reads_derivations(void **state)
{
	static const char text[] = "DrvWithVersion(\"xp-dyn-drv\",[(\"de\\\"v\",\"/nix/store/"
				   "\\\\d\",\"\",\"\"),(\"later\",\"\",\"r:sha256\",\"\"),"
				   "(\"out\",\"/nix/store/o\",\"\",\"\")],[],[],\"x\",\"y\",[],[])";
	struct fixture *f = *state;
	if (!have_program(f, "sqlite3"))
		skip();
	struct store_path path = {.path = scratch_path(f, "x.drv"),
		.nar_hash = arena_printf(f->arena, "%064d", 0),
		.nar_size = -1};
	assert_ok(f, file_write(f->diag, path.path, text, sizeof text - 1, 0644));
	assert_ok(f,
		nix_db_write(f->diag, f->scratch, &(struct closure){&path, 1, f->scratch, ""}, 5));
	assert_string_equal(
		shell(f, "sqlite3 db.sqlite 'select * from DerivationOutputs'", NULL, NULL),
		"1|de\"v|/nix/store/\\d\n1|out|/nix/store/o\n");
}

static void full_disk_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	if (geteuid() != 0 ||
		shell_try(f, "mkdir small; mount -t tmpfs -o size=128k none small", NULL, NULL)
				.exit_status != 0) {
		print_message("skipped: a full disk needs root and a mount\n");
		skip();
	}
	struct closure closure = paper_closure(f, 2000);
	bool written = nix_db_write(f->diag, scratch_path(f, "small"), &closure, 1);
	const char *left = shell(f, "ls -A small; umount small", NULL, NULL);
	assert_false(written);
	assert_string_equal(left, "");
	assert_said(f, "database or disk is full");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			nix_accepts_the_database, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			nix_without_wal_accepts_it, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			rows_equal_those_of_nix, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			equal_closures_give_equal_bytes, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			large_closures_are_fast, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			refuses_rows_nix_would_refuse, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(reads_derivations, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			full_disk_leaves_nothing, fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests_name("nix_db", tests, NULL, NULL);
}

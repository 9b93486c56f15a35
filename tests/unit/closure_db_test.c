/* SPDX-License-Identifier: MIT */
/*
 * The Nix database as a closure source: complete, locked, corrupt, of an unknown schema, and while
 * another program writes to it; then all sources compared with real Nix.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>

#include "fixture.h"
#include "closure_fixture.h"
#include "compiler/closure/source.h"

static const char tables[] = "create table ValidPaths (id integer primary key autoincrement not "
			     "null, path text unique not null, hash text not null,"
			     " registrationTime integer not null, deriver text, narSize integer, "
			     "ultimate integer, sigs text, ca text);"
			     "create table Refs (referrer integer not null, reference integer not "
			     "null, primary key (referrer, reference));";

static const char rows[] = "insert into ValidPaths values (1, '$C', 'sha256:" HASH_A
			   "', 1, null, 300, null, null, 'fixed:r:sha256:x'),"
			   " (2, '$B', 'sha256:" HASH_B "', 1, '', null, null, null, null),"
			   " (3, '$A', 'sha256:" HASH_A_NIX32
			   "', 1, '$R', 100, 1, 'k:s l:t', null), (4, '$D', 'sha256:" HASH_A
			   "', 1, '', 1, null, null, null);"
			   "insert into Refs values (3, 3), (3, 2), (2, 1);";

#define IN_DATABASE \
	"app e3b0c442 100 deriver=app.drv sigs=k:s l:t ultimate: app lib\nlib ba7816bf -1: data\n" \
	"data e3b0c442 300 ca=fixed:r:sha256:x:\n"

static const char *database_path(struct fixture *f)
{
	return scratch_path(f, "state/db/db.sqlite");
}

static sqlite3 *database_open(const char *path)
{
	sqlite3 *handle = NULL;
	assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
	sqlite3_busy_timeout(handle, 10000);
	return handle;
}

static void execute(struct fixture *f, sqlite3 *handle, const char *pattern)
{
	char *error = NULL;
	if (sqlite3_exec(handle, expand(f, pattern), NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s: %s", pattern, error);
}

static int database_setup(void **state)
{
	if (closure_setup(state) != 0)
		return -1;
	struct fixture *f = *state;
	assert_ok(f, directory_make(f->diag, scratch_path(f, "state/db"), 0755));
	put_file(f, scratch_path(f, "state/db/schema"), "10");
	sqlite3 *handle = database_open(database_path(f));
	execute(f, handle, "pragma journal_mode = wal");
	execute(f, handle, tables);
	execute(f, handle, rows);
	sqlite3_close(handle);
	return 0;
}

static void committed_rows_are_read(void **state)
{
	struct fixture *f = *state;
	assert_closure(f, expand(f, "$A"), NULL, IN_DATABASE);
	/* Reading does not leave files behind. */
	assert_string_equal(shell(f, "ls state/db", NULL, NULL), "db.sqlite\nschema\n");
	/* Transactions in the write-ahead log are read. */
	sqlite3 *handle = database_open(database_path(f));
	execute(f, handle, "insert into Refs values (1, 4)");
	assert_string_equal(
		shell(f, "test -s state/db/db.sqlite-wal && echo log", NULL, NULL), "log\n");
	struct closure closure;
	assert_ok(f, load(f, expand(f, "$B"), NULL, &closure));
	assert_int_equal(closure.n, 3);
	/* Uncommitted changes are not read. */
	execute(f, handle, "begin immediate; delete from Refs");
	assert_ok(f, load(f, expand(f, "$B"), NULL, &closure));
	assert_int_equal(closure.n, 3);
	sqlite3_close(handle);
}

static void rollback_journals_are_supported(void **state)
{
	struct fixture *f = *state;
	sqlite3 *handle = database_open(database_path(f));
	execute(f, handle, "pragma journal_mode = delete");
	sqlite3_close(handle);
	assert_closure(f, expand(f, "$A"), NULL, IN_DATABASE);
}

static void missing_rows_are_reported(void **state)
{
	struct fixture *f = *state;
	struct closure closure;
	sqlite3 *handle = database_open(database_path(f));
	execute(f, handle, "delete from ValidPaths where id = 4");
	assert_false(load(f, expand(f, "$D"), NULL, &closure));
	assert_said(f,
		arena_printf(f->arena, "%s is not in the Nix database %s", expand(f, "$D"),
			database_path(f)));
	unlink(expand(f, "$C"));
	assert_false(load(f, expand(f, "$A"), NULL, &closure));
	assert_said(f, expand(f, "$C does not exist; $B refers to it"));
	execute(f, handle, "delete from ValidPaths where id = 1");
	assert_false(load(f, expand(f, "$A"), NULL, &closure));
	assert_said(f, "is corrupt: ");
	sqlite3_close(handle);
}

static void empty_or_absent_databases_are_skipped(void **state)
{
	struct fixture *f = *state;
	sqlite3 *handle = database_open(database_path(f));
	execute(f, handle,
		"delete from Refs; update ValidPaths set path = '/gnu/store/' || substr(path, 3)");
	assert_closure(f, expand(f, "$C"), NULL, "data read:\n");
	execute(f, handle, "delete from ValidPaths");
	assert_closure(f, expand(f, "$C"), NULL, "data read:\n");
	sqlite3_close(handle);
	shell(f, "rm -r state", NULL, NULL);
	assert_closure(f, expand(f, "$C"), NULL, "data read:\n");
}

static void assert_refused(struct fixture *f, const char *said)
{
	struct closure closure;
	assert_false(load(f, expand(f, "$A"), NULL, &closure));
	const char *text = messages(f);
	if (!strstr(text, said) || !strstr(text, database_path(f)))
		fail_msg("expected \"%s\" in: %s", said, text);
	assert_int_equal(diag_status(f->diag), STATUS_INPUT);
}

static void unknown_schemas_are_refused(void **state)
{
	struct fixture *f = *state;
	const char *schema = scratch_path(f, "state/db/schema");
	put_file(f, schema, "11");
	assert_refused(f, "has schema \"11\", but mvmbuild knows only \"10\"");
	put_file(f, schema, "10\n");
	assert_refused(f, "knows only \"10\"");
	put_file(f, schema, "");
	assert_refused(f, "has schema \"\"");
	unlink(schema);
	assert_refused(f, "has no schema file");
}

static void corrupt_databases_are_refused(void **state)
{
	struct fixture *f = *state;
	shell(f,
		"cp state/db/db.sqlite good; printf junkjunkjunkjunkjunk | dd "
		"of=state/db/db.sqlite conv=notrunc status=none",
		NULL, NULL);
	assert_refused(f, "is corrupt: file is not a database");
	shell(f,
		"cp good state/db/db.sqlite; dd if=/dev/urandom of=state/db/db.sqlite bs=4096 "
		"seek=1 count=1 conv=notrunc status=none",
		NULL, NULL);
	assert_refused(f, "is corrupt");
	shell(f, "cp good state/db/db.sqlite; truncate -s 4096 state/db/db.sqlite", NULL, NULL);
	assert_refused(f, "is corrupt");
	shell(f, ": > state/db/db.sqlite", NULL, NULL);
	assert_refused(f, "no such table");
	shell(f, "cp good state/db/db.sqlite", NULL, NULL);
	sqlite3 *handle = database_open(database_path(f));
	execute(f, handle, "update ValidPaths set hash = 'sha256:00' where id = 3");
	sqlite3_close(handle);
	assert_refused(f, "\"sha256:00\" is not a SHA-256 hash");
}

static void locked_databases_are_reported(void **state)
{
	struct fixture *f = *state;
	sqlite3 *handle = database_open(database_path(f));
	execute(f, handle,
		"pragma locking_mode = exclusive; begin exclusive; insert into Refs values (1, 4); "
		"commit; begin exclusive");
	struct closure_table *table = closure_table_new(f->arena, f->diag, store_dir(f));
	closure_table_intern(table, expand(f, "$A"), strlen(expand(f, "$A")));
	table->nroots = 1;
	assert_int_equal(closure_db_load(table, scratch_path(f, "state"), 100), SOURCE_BROKEN);
	assert_said(f, "is locked by another program");
	assert_int_equal(diag_status(f->diag), STATUS_INPUT);
	sqlite3_close(handle);
}

enum { CHAIN = 500 };

/*
 * A chain of CHAIN paths. Each transaction keeps narSize equal in all rows, so a reader that sees
 * different values has read a torn state.
 */
static void make_chain(struct fixture *f)
{
	sqlite3 *handle = database_open(database_path(f));
	execute(f, handle, "begin; delete from Refs; delete from ValidPaths");
	for (int i = 0; i < CHAIN; i++) {
		const char *path = arena_printf(f->arena, "%s/%032d-chain", store_dir(f), i);
		put_file(f, path, "");
		execute(f, handle,
			arena_printf(f->arena,
				"insert into ValidPaths values (%d, '%s', 'sha256:" HASH_A
				"', 1, null, 1, null,"
				" null, null); insert into Refs values (%d, %d)",
				i, path, i, i + 1 < CHAIN ? i + 1 : i));
	}
	execute(f, handle, "commit");
	sqlite3_close(handle);
}

static void write_for_ever(struct fixture *f)
{
	for (unsigned i = 0;; i++) {
		sqlite3 *handle = database_open(database_path(f));
		execute(f, handle, "pragma synchronous = off");
		for (unsigned j = 0; j < 10; j++) {
			execute(f, handle, "update ValidPaths set narSize = narSize + 1");
			if (j % 5 == 0)
				execute(f, handle, "pragma wal_checkpoint(truncate)");
		}
		sqlite3_close(handle);
		/* Long enough that a reader starts without locks, too short for it to finish. */
		usleep(20000 + i % 10 * 500);
	}
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static bool is_torn(const struct closure *closure)
{
	for (size_t i = 0; i < closure->n; i++)
		if (closure->v[i].nar_size != closure->v[0].nar_size)
			return true;
	return closure->n != CHAIN;
}

static void reads_are_consistent_during_writes(void **state)
{
	struct fixture *f = *state;
	make_chain(f);
	const char *root = arena_printf(f->arena, "%s/%032d-chain", store_dir(f), 0);
	pid_t pid = fork();
	if (pid == 0)
		write_for_ever(f);
	int64_t last = 0, states = 0;
	bool ok = true, torn = false, back = false;
	for (size_t i = 0; ok && !torn && !back && i < 300; i++) {
		struct closure closure;
		ok = load(f, root, NULL, &closure);
		torn = ok && is_torn(&closure);
		back = ok && !torn && closure.v[0].nar_size < last;
		states += ok && closure.v[0].nar_size != last;
		last = ok ? closure.v[0].nar_size : 0;
		usleep(i % 7 * 1000);
	}
	stop(pid);
	assert_ok(f, ok);
	assert_false(torn);
	assert_false(back);
	assert_in_range(states, 20, 300);
}

/* ---- without write permission ---- */

/*
 * Runs `steps` as nobody in a child process; returns its exit status, the number of the failed
 * step.
 */
static int as_nobody(struct fixture *f, int (*steps)(struct fixture *f))
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(setgid(65534) != 0 || setuid(65534) != 0 ? 99 : steps(f));
	int status = -1;
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool is_root(void)
{
	if (geteuid() == 0)
		return true;
	print_message("skipped: only root can become somebody else\n");
	return false;
}

/* Returns 10 plus the number of paths if the database was read, 2 if another source was used. */
static int load_lib(struct fixture *f)
{
	struct closure closure;
	if (!load(f, expand(f, "$B"), NULL, &closure)) {
		print_message("%s", messages(f));
		return 1;
	}
	return strstr(closure.source, "Nix database") ? 10 + (int)closure.n : 2;
}

static void readers_need_no_write_permission(void **state)
{
	struct fixture *f = *state;
	if (!is_root())
		skip();
	assert_int_equal(chmod(f->scratch, 0755), 0);
	assert_int_equal(as_nobody(f, load_lib), 12);
	/* The log has its index (-shm) because another process holds the database open. */
	sqlite3 *handle = database_open(database_path(f));
	execute(f, handle, "insert into Refs values (1, 4)");
	assert_int_equal(as_nobody(f, load_lib), 13);
	/*
	 * The log has no index, and nobody may not create one. Without the log the database is out
	 * of date, so it must not be read.
	 */
	shell(f, "cp -r state kept && rm kept/db/*-shm", NULL, NULL);
	sqlite3_close(handle);
	assert_int_equal(as_nobody(f, load_lib), 13);
	shell(f, "rm -r state && mv kept state", NULL, NULL);
	assert_int_equal(as_nobody(f, load_lib), 2);
	shell(f, "rm state/db/*-wal && chmod 600 state/db/db.sqlite", NULL, NULL);
	assert_int_equal(as_nobody(f, load_lib), 2);
}

/* ---- real Nix ---- */

static const char expression[] =
	"let\n"
	"  sh = name: script: derivation { inherit name; system = builtins.currentSystem; builder "
	"= \"/bin/sh\";\n"
	"    args = [ \"-ec\" script ]; PATH = \"/usr/bin:/bin\"; };\n"
	"in rec {\n"
	"  data = builtins.toFile \"data\" \"hello\";\n"
	"  lib = sh \"lib\" \"echo ${data} > $out\";\n"
	"  app = sh \"app\" \"mkdir $out; echo $out > $out/self; ln -s ${lib} $out/lib\";\n"
	"  top = sh \"top\" \"mkdir $out; head -c 300000 /dev/zero > $out/file; echo ${app} >> "
	"$out/file; : > $out/${baseNameOf data}\";\n"
	"  other = sh \"other\" \"echo ${lib} > $out\";\n"
	"  graph = derivation { name = \"graph\"; system = builtins.currentSystem; builder = "
	"\"/bin/sh\"; PATH = \"/usr/bin:/bin\";\n"
	"    args = [ \"-ec\" \"cat graph > $out\" ]; exportReferencesGraph = [ \"graph\" top ]; "
	"};\n"
	"  attributes = derivation { name = \"attributes\"; system = builtins.currentSystem; "
	"builder = \"/bin/bash\"; PATH = \"/usr/bin:/bin\";\n"
	"    __structuredAttrs = true; args = [ \"-ec\" \". ./.attrs.sh; cat .attrs.json > "
	"\\${outputs[out]}\" ];\n"
	"    exportReferencesGraph.closure = [ top ]; };\n"
	"}\n";

struct nix {
	struct fixture *f;
	const char *top;       /* output path */
	const char *dump;      /* sorted `nix-store --dump-db` of its closure */
	const char *underived; /* the same without derivers */
};

static int nix_setup(void **state)
{
	if (fixture_setup(state) != 0)
		return -1;
	struct fixture *f = *state;
	static const struct {
		const char *name, *directory;
	} places[] = {{"NIX_STORE_DIR", "store"}, {"NIX_STATE_DIR", "state"},
		{"NIX_LOG_DIR", "log"}, {"NIX_CONF_DIR", "etc"}, {"XDG_CACHE_HOME", "cache"},
		{"HOME", "home"}};
	for (size_t i = 0; i < countof(places); i++) {
		setenv(places[i].name, scratch_path(f, places[i].directory), 1);
		if (!directory_make(f->diag, scratch_path(f, places[i].directory), 0755))
			return -1;
	}
	static const char *const unset[] = {
		"NIX_ATTRS_JSON_FILE", "NIX_BUILD_TOP", "NIX_REMOTE", "NIX_PATH"};
	for (size_t i = 0; i < countof(unset); i++)
		unsetenv(unset[i]);
	setenv("NIX_CONFIG", "sandbox = false\nbuild-users-group =\nsubstitute = false", 1);
	return file_write(
		       f->diag, scratch_path(f, "x.nix"), expression, sizeof expression - 1, 0644)
		? 0
		: -1;
}

static const char *output(struct fixture *f, const char *attribute)
{
	return shell(f,
		"printf %s \"$(nix-build x.nix -A \"$1\" -o \"$1\" 2>log.txt || cat log.txt)\"",
		attribute, NULL);
}

/*
 * Formats the closure like `nix-store --dump-db`, optionally without the derivers, which some
 * sources do not know.
 */
static const char *dump(struct fixture *f, const struct closure *closure, bool derivers)
{
	BUF_CLEANUP struct buf text = {0};
	for (size_t i = 0; i < closure->n; i++) {
		const struct store_path *path = &closure->v[i];
		buf_printf(&text, "%s\n%s\n%lld\n%s\n%zu\n", path->path, path->nar_hash,
			(long long)path->nar_size, derivers && path->deriver ? path->deriver : "",
			path->nrefs);
		for (size_t j = 0; j < path->nrefs; j++)
			buf_printf(&text, "%s\n", closure->v[path->refs[j]].path);
	}
	return arena_strdup(f->arena, buf_text(&text));
}

static void assert_dump(struct nix *nix, const char *file, bool derivers)
{
	struct closure closure;
	assert_ok(nix->f, load(nix->f, nix->top, file, &closure));
	assert_string_equal(
		dump(nix->f, &closure, derivers), derivers ? nix->dump : nix->underived);
}

static struct nix nix_build(struct fixture *f)
{
	struct nix nix = {.f = f, .top = output(f, "top")};
	nix.dump = shell(f, "nix-store --dump-db $(nix-store -qR \"$1\" | sort)", nix.top, NULL);
	struct closure closure;
	assert_ok(f, load(f, nix.top, NULL, &closure));
	assert_int_equal(closure.n, 4);
	nix.underived = dump(f, &closure, false);
	return nix;
}

static bool have_nix(struct fixture *f)
{
	return have_program(f, "nix-build") && have_program(f, "nix-store");
}

static void every_source_agrees_with_nix(void **state)
{
	struct fixture *f = *state;
	if (!have_nix(f))
		skip();
	struct nix nix = nix_build(f);
	output(f, "other");
	assert_dump(&nix, NULL, true);

	shell(f,
		"nix-store --dump-db > all; nix-store -qR \"$1\" > list; mkdir info; cp list "
		"info/store-paths; cp all info/registration",
		nix.top, NULL);
	assert_dump(&nix, scratch_path(f, "all"), true);
	assert_dump(&nix, scratch_path(f, "list"), false);
	assert_dump(&nix, scratch_path(f, "info"), true);
	assert_dump(&nix, output(f, "graph"), false);

	shell(f, "nix --extra-experimental-features nix-command path-info --json -r \"$1\" > json",
		nix.top, NULL);
	assert_dump(&nix, scratch_path(f, "json"), true);
	if (have_program(f, "/bin/bash")) {
		struct closure closure;
		assert_ok(f, load(f, nix.top, output(f, "attributes"), &closure));
		assert_string_equal(dump(f, &closure, false), nix.underived);
		for (size_t i = 0; i < closure.n; i++)
			assert_non_null(strstr(nix.dump,
				arena_printf(f->arena, "%s\n%s\n%lld\n", closure.v[i].path,
					closure.v[i].nar_hash, (long long)closure.v[i].nar_size)));
	}

	shell(f, "mv state/db state/hidden", NULL, NULL);
	assert_dump(&nix, NULL, false);
	assert_string_equal(messages(f), "");
}

static void reading_works_while_nix_adds_paths(void **state)
{
	struct fixture *f = *state;
	if (!have_nix(f))
		skip();
	struct nix nix = nix_build(f);
	pid_t pid = fork();
	if (pid == 0) {
		shell(f,
			"for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo $i > f; nix-store --add f; "
			"nix-store --delete $(nix-store --add f); done",
			NULL, NULL);
		_exit(0);
	}
	int status, loads = 0;
	while (waitpid(pid, &status, WNOHANG) == 0) {
		assert_dump(&nix, NULL, true);
		usleep(2000);
		loads++;
	}
	assert_int_equal(status, 0);
	assert_true(loads > 5);
}

static int ask_daemon(struct fixture *f)
{
	struct nix nix = {.f = f, .top = shell(f, "readlink top | tr -d '\\n'", NULL, NULL)};
	struct closure closure;
	if (!load(f, nix.top, NULL, &closure)) {
		print_message("%s", messages(f));
		return 1;
	}
	const char *kept = contents(f, scratch_path(f, "expected")).p;
	size_t addressed = 0;
	for (size_t i = 0; i < closure.n; i++)
		addressed += closure.v[i].ca != NULL;
	if (strcmp(closure.source, "nix path-info") != 0 ||
		strcmp(dump(f, &closure, true), kept) != 0 || addressed != 1)
		return 2;
	/* The root is a derivation. */
	const char *derivation = shell(f, "printf %s \"$(cat derivation)\"", NULL, NULL);
	if (!load(f, derivation, NULL, &closure) ||
		strcmp(closure.source, "nix-store --dump-db") != 0 || closure.n < 4)
		return 3;
	if (load(f, scratch_path(f, "store/0a000000000000000000000000000000-stray"), NULL,
		    &closure) ||
		!strstr(messages(f), "-stray is not a valid path of the Nix store"))
		return 4;
	return 0;
}

static void the_daemon_is_asked(void **state)
{
	struct fixture *f = *state;
	if (!have_nix(f) || !have_program(f, "nix-daemon") || !is_root())
		skip();
	struct nix nix = nix_build(f);
	assert_ok(f,
		file_write(f->diag, scratch_path(f, "expected"), nix.dump, strlen(nix.dump), 0644));
	shell(f,
		"chmod 755 .; chmod 777 cache home; nix-store -q --deriver \"$1\" > derivation; "
		"chmod 700 state/db;"
		"echo > store/0a000000000000000000000000000000-stray",
		nix.top, NULL);
	pid_t pid = fork();
	if (pid == 0) {
		int log = open(scratch_path(f, "daemon.log"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		dup2(log, STDERR_FILENO);
		execlp("nix-daemon", "nix-daemon", (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 500 && !path_exists(scratch_path(f, "state/daemon-socket/socket")); i++)
		usleep(10000);
	int status = as_nobody(f, ask_daemon);
	stop(pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			committed_rows_are_read, database_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			rollback_journals_are_supported, database_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			missing_rows_are_reported, database_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			empty_or_absent_databases_are_skipped, database_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			unknown_schemas_are_refused, database_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			corrupt_databases_are_refused, database_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			locked_databases_are_reported, database_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			reads_are_consistent_during_writes, database_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			readers_need_no_write_permission, database_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			every_source_agrees_with_nix, nix_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			reading_works_while_nix_adds_paths, nix_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(the_daemon_is_asked, nix_setup, fixture_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

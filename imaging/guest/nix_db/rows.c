/* SPDX-License-Identifier: MIT */
#include "imaging/guest/nix_db/rows.h"

#include <string.h>

#include "imaging/guest/nix_db/message.h"

/*
 * Only tables and columns that every Nix with schema 10 has are used by name. Others (Realisations
 * and BuildTrace of content-addressed derivations) depend on ValidPaths by their own foreign keys
 * and triggers, which work here as in Nix.
 *
 * An unchanged row is not written.
 */
static const char find_gone[] = "insert into temp.Gone"
				"  with recursive Found(id) as ("
				"    select id from main.ValidPaths where path not in (select path "
				"from seed.ValidPaths) and path not in (select path from temp.Own)"
				"    union"
				"    select referrer from Found join main.Refs on reference = "
				"Found.id join main.ValidPaths on ValidPaths.id = referrer"
				"      where path not in (select path from seed.ValidPaths)"
				"  ) select id from Found";

/*
 * If the contents are the same, information that only the guest has, such as a signature, is kept.
 */
static const char add_paths[] =
	"insert into main.ValidPaths (path, hash, registrationTime, deriver, narSize, ultimate, "
	"sigs, ca)"
	"  select path, hash, registrationTime, deriver, narSize, ultimate, sigs, ca from "
	"seed.ValidPaths where true"
	"  on conflict (path) do update set hash = excluded.hash, narSize = excluded.narSize, "
	"ultimate = excluded.ultimate,"
	"    deriver = coalesce(excluded.deriver, iif(hash = excluded.hash, deriver, null)),"
	"    sigs = coalesce(excluded.sigs, iif(hash = excluded.hash, sigs, null)),"
	"    ca = coalesce(excluded.ca, iif(hash = excluded.hash, ca, null))"
	"  where (hash, narSize, ultimate) is not (excluded.hash, excluded.narSize, "
	"excluded.ultimate)"
	"    or excluded.deriver is not null and deriver is not excluded.deriver"
	"    or excluded.sigs is not null and sigs is not excluded.sigs"
	"    or excluded.ca is not null and ca is not excluded.ca";

static const char map_packed[] =
	"insert into temp.Packed select seed.ValidPaths.id, main.ValidPaths.id"
	"  from seed.ValidPaths join main.ValidPaths using (path)";

static const char add_references[] =
	"insert into temp.PackedRefs select a.id, b.id from seed.Refs"
	"  join temp.Packed a on a.seed = referrer join temp.Packed b on b.seed = reference;"
	"delete from main.Refs where referrer in (select id from temp.Packed)"
	"  and not exists (select 1 from temp.PackedRefs p where p.referrer = Refs.referrer and "
	"p.reference = Refs.reference);"
	"insert or ignore into main.Refs (referrer, reference) select referrer, reference from "
	"temp.PackedRefs";

static const char remove_gone[] =
	"delete from main.Refs where referrer in (select id from temp.Gone);"
	"delete from main.ValidPaths where id in (select id from temp.Gone)";

static const char add_outputs[] =
	"delete from main.DerivationOutputs where drv in (select id from temp.Packed) and not "
	"exists (select 1 from seed.DerivationOutputs s"
	"  join temp.Packed p on p.seed = s.drv where p.id = main.DerivationOutputs.drv and s.id = "
	"main.DerivationOutputs.id"
	"  and s.path = main.DerivationOutputs.path);"
	"insert or ignore into main.DerivationOutputs (drv, id, path)"
	"  select p.id, s.id, s.path from seed.DerivationOutputs s join temp.Packed p on p.seed = "
	"s.drv";

static const char scratch_tables[] = "create temp table Own (path text primary key) without rowid; "
				     "create temp table Gone (id integer primary key);"
				     "create temp table Packed (seed integer primary key, id "
				     "integer not null); create index temp.PackedId on Packed (id);"
				     "create temp table PackedRefs (referrer integer, reference "
				     "integer, primary key (referrer, reference)) without rowid;";

bool rows_check(const struct database *database, bool *filled)
{
	STATEMENT_CLEANUP sqlite3_stmt *check =
		database_prepare(database, "pragma main.quick_check(1)", NULL);
	if (!check)
		return false;
	if (sqlite3_step(check) != SQLITE_ROW)
		return database_failed(database);
	const char *verdict = (const char *)sqlite3_column_text(check, 0);
	if (!verdict || strcmp(verdict, "ok") != 0)
		return database_damaged(database, verdict ? verdict : "out of memory");
	sqlite3_int64 count;
	if (!database_number(database,
		    "select count(*) from main.sqlite_master where type = 'table' and name = "
		    "'ValidPaths'",
		    &count))
		return false;
	if (count &&
		!database_number(database, "select exists (select 1 from main.ValidPaths)", &count))
		return false;
	*filled = count > 0;
	return true;
}

bool rows_is_packed(const struct database *database, const char *path, bool *packed)
{
	STATEMENT_CLEANUP sqlite3_stmt *statement =
		database_prepare(database, "select 1 from seed.ValidPaths where path = ?", path);
	if (!statement)
		return false;
	int step = sqlite3_step(statement);
	*packed = step == SQLITE_ROW;
	return step == SQLITE_ROW || step == SQLITE_DONE || database_failed(database);
}

static bool add_own(const struct database *database, const struct strings *own)
{
	STATEMENT_CLEANUP sqlite3_stmt *statement =
		database_prepare(database, "insert into temp.Own values (?)", NULL);
	for (size_t i = 0; statement && i < own->n; i++) {
		sqlite3_bind_text(statement, 1, own->v[i], -1, SQLITE_STATIC);
		bool done = sqlite3_step(statement) == SQLITE_DONE;
		if (sqlite3_reset(statement) != SQLITE_OK || !done)
			return database_failed(database);
	}
	return statement != NULL;
}

static bool list_gone(const struct database *database, struct strings *gone)
{
	STATEMENT_CLEANUP sqlite3_stmt *statement = database_prepare(database,
		"select path from temp.Gone join main.ValidPaths using (id) order by path", NULL);
	int step = SQLITE_ERROR;
	while (statement && (step = sqlite3_step(statement)) == SQLITE_ROW)
		vec_push(database->arena, gone,
			arena_strdup(
				database->arena, (const char *)sqlite3_column_text(statement, 0)));
	return statement && (step == SQLITE_DONE || database_failed(database));
}

static bool count_added(const struct database *database, sqlite3_int64 *added)
{
	return database_number(database,
		"select count(*) from seed.ValidPaths where path not in (select path from "
		"main.ValidPaths)",
		added);
}

/* Nix 1's databases and foreign seeds may lack the table of outputs. */
static bool have_outputs(const struct database *database, bool *have)
{
	sqlite3_int64 count;
	bool ok = database_number(database,
		"select (select count(*) from main.sqlite_master where name = 'DerivationOutputs')"
		"  * (select count(*) from seed.sqlite_master where name = 'DerivationOutputs')",
		&count);
	*have = ok && count;
	return ok;
}

bool rows_reconcile(
	const struct database *database, const struct strings *own, struct rows_change *change)
{
	*change = (struct rows_change){0};
	bool outputs;
	if (!database_execute(database, scratch_tables))
		return false;
	if (!database_execute(database, "begin immediate"))
		return false;
	if (!add_own(database, own))
		return false;
	if (!count_added(database, &change->added))
		return false;
	if (!database_execute(database, find_gone))
		return false;
	if (!list_gone(database, &change->gone))
		return false;
	if (!database_execute(database, add_paths))
		return false;
	if (!database_execute(database, map_packed))
		return false;
	if (!database_execute(database, add_references))
		return false;
	if (!database_execute(database, remove_gone))
		return false;
	if (!have_outputs(database, &outputs))
		return false;
	if (outputs && !database_execute(database, add_outputs))
		return false;
	return database_execute(database, "commit");
}

/* SPDX-License-Identifier: MIT */
/*
 * mvm-nix-db: keeps Nix's database consistent with the store. In a guest, stage 1 runs it before
 * the overlay is mounted on the store. On the host, microvm-run runs it for a VM that sees the
 * host's database.
 *
 *   main.c       the verbs
 *   reconcile.c  adapts the kept database to a new image: the steps and their order
 *   rows.c       the rows of the database
 *   upper.c      the upper layer of the overlay
 *   state.c      leftovers of the last boot
 *   snapshot.c   copies a database that is in use
 *   database.c   access to SQLite
 *   files.c      files that appear complete
 *   message.c    messages
 */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/plain_options.h"
#include "base/plain_output.h"
#include "imaging/guest/nix_db/files.h"
#include "imaging/guest/nix_db/message.h"
#include "imaging/guest/nix_db/reconcile.h"
#include "imaging/guest/nix_db/snapshot.h"
#include "imaging/guest/nix_db/state.h"

enum { STATUS_FAILURE = 1, STATUS_WRONG_USAGE = 2 };

static const char usage[] =
	"usage: mvm-nix-db reconcile --seed DIR --store DIR --db DIR [--upper DIR] [--state DIR] "
	"[--layered] [--again] [--renew]\n"
	"           bring the database in --db in line with the one in --seed, and the upper layer "
	"of the store with both;\n"
	"           --again, or the kernel parameter mvm.nix-db=repair: even if nothing seems to "
	"have changed; --renew, or\n"
	"           mvm.nix-db=renew: put the database that is there aside, and begin with the "
	"seed\n"
	"       mvm-nix-db snapshot DB_DIR DIR\n"
	"           make DIR a consistent copy of a Nix database that may be in use\n";

/* Whether the kernel command line has mvm.nix-db=WORD. */
static bool kernel_says(const char *word)
{
	struct arena *arena = arena_new();
	const char *line = read_text(arena, "/proc/cmdline"),
		   *wanted = arena_printf(arena, "mvm.nix-db=%s", word);
	bool said = false;
	for (size_t length; line && *line && !said; line += length) {
		line += strspn(line, " \n");
		length = strcspn(line, " \n");
		said = length == strlen(wanted) && strncmp(line, wanted, length) == 0;
	}
	arena_free(arena);
	return said;
}

static int verb_reconcile(char **at)
{
	struct reconcile_request request = {
		.again = kernel_says("repair"), .renew = kernel_says("renew")};
	const char *state_dir = NULL;
	while (option_take_value(&at, "--seed", &request.seed) ||
		option_take_value(&at, "--store", &request.store_dir) ||
		option_take_value(&at, "--db", &request.db_dir) ||
		option_take_value(&at, "--upper", &request.upper) ||
		option_take_value(&at, "--state", &state_dir) ||
		option_take_flag(&at, "--layered", &request.layered) ||
		option_take_flag(&at, "--again", &request.again) ||
		option_take_flag(&at, "--renew", &request.renew))
		;
	if (*at || !request.seed || !request.store_dir || !request.db_dir) {
		fputs(usage, stderr);
		return STATUS_WRONG_USAGE;
	}
	return (!state_dir || state_clean(state_dir)) && reconcile(&request) ? 0 : STATUS_FAILURE;
}

int main(int count, char **arguments)
{
	if (count > 1 && strcmp(arguments[1], "reconcile") == 0)
		return verb_reconcile(arguments + 2);
	if (count == 4 && strcmp(arguments[1], "snapshot") == 0)
		return snapshot(arguments[2], arguments[3]) ? 0 : STATUS_FAILURE;
	bool help = count == 2 && strcmp(arguments[1], "--help") == 0;
	fputs(usage, help ? stdout : stderr);
	if (output_finish() != OUTPUT_WRITTEN) {
		report("cannot write the output");
		return STATUS_FAILURE;
	}
	return help ? 0 : STATUS_WRONG_USAGE;
}

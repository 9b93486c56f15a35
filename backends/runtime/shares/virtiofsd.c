/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "backends/runtime/shares/daemons.h"
#include "base/plain_options.h"

/* For one VM; each share has a process. */
enum { SHARES_MAX = 1000, ARGUMENTS_MAX = 100000 };

/* Parses "--run COUNT PROGRAM [ARGUMENT]...". */
static bool take_program(char ***at, struct daemon *daemon)
{
	const char *count = NULL;
	uint64_t n = 0, i = 0;
	if (!option_take_value(at, "--run", &count) || !number_parse(count, 1, ARGUMENTS_MAX, &n))
		return false;
	daemon->argv = memory(calloc(n + 1, sizeof *daemon->argv));
	for (; i < n && **at; i++)
		daemon->argv[i] = *(*at)++;
	return i == n;
}

/* Parses "--share TAG SOCKET", its options, and its program. */
static bool take_share(char ***at, struct daemon *daemon)
{
	*daemon = (struct daemon){.claim = {.fd = -1}, .output = -1};
	if (!option_take_value(at, "--share", &daemon->share) || !**at)
		return false;
	daemon->socket = *(*at)++;
	while (option_take_value(at, "--read-only", &daemon->read_only) ||
		option_take_flag(at, "--user-namespace", &daemon->root_of_namespace) ||
		option_take_flag(at, "--silent", &daemon->silent))
		;
	return take_program(at, daemon);
}

static bool take_process(char ***at, struct fleet *fleet)
{
	const char *text = NULL;
	uint64_t number = 0;
	if (!option_take_value(at, "--with", &text))
		return true;
	bool ok = number_parse(text, 1, INT32_MAX, &number);
	fleet->with = (pid_t)number;
	return ok;
}

static bool take_all(char **at, struct fleet *fleet)
{
	if (!take_process(&at, fleet))
		return false;
	fleet->group_needed = option_take_value(&at, "--group", &fleet->group);
	option_take_value(&at, "--group-if-any", &fleet->group);
	while (*at && fleet->n < SHARES_MAX)
		if (!take_share(&at, &fleet->daemons[fleet->n++]))
			return false;
	return fleet->n && !*at;
}

static size_t shares_count(char **arguments)
{
	size_t n = 0;
	for (; *arguments; arguments++)
		n += strcmp(*arguments, "--share") == 0;
	return n < SHARES_MAX ? n : SHARES_MAX;
}

int verb_virtiofsd(char **arguments)
{
	struct fleet fleet = {
		.daemons = memory(calloc(shares_count(arguments) + 1, sizeof *fleet.daemons))};
	int status = STATUS_USAGE;
	if (!take_all(arguments, &fleet))
		complain("virtiofsd: expected [--with PROCESS] [--group GROUP] (--share TAG SOCKET "
			 "... --run COUNT PROGRAM [ARGUMENT]...)...");
	else
		status = fleet_run(&fleet);
	for (size_t i = 0; i < fleet.n; i++)
		free(fleet.daemons[i].argv);
	free(fleet.daemons);
	return status;
}

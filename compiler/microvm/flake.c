/* SPDX-License-Identifier: MIT */
/* flake: builds VMs of NixOS configurations with Nix. */
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "compiler/microvm/custody.h"
#include "compiler/microvm/links.h"
#include "compiler/microvm/source.h"

/* Flakes are experimental in Nix and disabled by default, as in Debian. */
#define NIX "nix", "--extra-experimental-features", "nix-command flakes"

/* The link to Nix's result, before it becomes `current`. */
#define RESULT ".result"

static const char *attribute(
	const struct host *host, const char *flake, const char *name, const char *what)
{
	const char *quote = strchr(name, '.') ? "\"" : "";
	return arena_printf(host->arena, "%s#nixosConfigurations.%s%s%s.config.%s", flake, quote,
		name, quote, what);
}

static bool failed(const struct host *host, const char *what, const struct process_result *ran)
{
	if (ran->exit_status == 127)
		return diag_error(host->diag, STATUS_FAILED, NULL, "flake",
			"cannot start the program nix, which a flake needs");
	/* The last line of Nix's messages has the error. */
	const char *text = ran->error.n ? ran->error.p : "";
	size_t length = strlen(text);
	while (length && text[length - 1] == '\n')
		length--;
	const char *start = text + length;
	while (start > text && start[-1] != '\n')
		start--;
	return diag_error(host->diag, STATUS_FAILED, NULL, "flake",
		"nix cannot %s and returned status %d%s%.*s", what, ran->exit_status,
		length ? ": " : "", (int)(text + length - start), start);
}

bool flake_build(const struct host *host, const char *flake, const char *name,
	const char *directory, struct product *product)
{
	const char *link = path_join(host->arena, directory, RESULT);
	const char *const argv[] = {NIX, "build", "-o", link,
		attribute(host, flake, name, "microvm.declaredRunner"), NULL};
	struct process_result ran;
	tree_remove(link);
	if (!process_run_shown(host->arena, host->diag, argv, &ran))
		return false;
	product->target = ran.exit_status == 0 && custody_counts(host, directory, RESULT)
		? link_read(host->arena, link)
		: NULL;
	if (product->target)
		product->system = link_read(host->arena,
			path_join(host->arena, product->target, "share/microvm/system"));
	return product->target || failed(host, "build the VM", &ran);
}

void flake_forget_result(const struct host *host, const char *directory)
{
	unlink(path_join(host->arena, directory, RESULT));
}

bool flake_wanted(
	const struct host *host, const char *flake, const char *name, struct product *product)
{
	const char *const argv[] = {NIX, "--option", "narinfo-cache-negative-ttl", "10", "eval",
		"--raw", attribute(host, flake, name, "system.build.toplevel"), NULL};
	struct process_result ran;
	if (!process_run(host->arena, host->diag, argv, &ran))
		return false;
	product->system = ran.output.p;
	return (ran.exit_status == 0 && ran.output.n) || failed(host, "evaluate the VM", &ran);
}

void flake_show_difference(const struct host *host, const char *before, const char *after)
{
	const char *const argv[] = {NIX, "store", "diff-closures", before, after, NULL};
	struct process_result ran;
	if (process_run(host->arena, host->diag, argv, &ran) && ran.exit_status == 0)
		host_say(host, "%s", ran.output.p);
}

/* SPDX-License-Identifier: MIT */
/*
 * mvmbuild: a description of a microVM in, a runner directory out.
 *
 *   cli       command line            commands  what each command does    session  the passes that commands share
 *   doc       YAML/JSON to a tree     node      the tree                  json_text  JSON that YAML does not understand
 *   options   the table of options    bind      tree to struct vm         shape     of names, addresses and paths
 *   check*    wrong as a whole?       resolve   toplevel, kernel, initrd  closure* which store paths, from which source
 *   storage   disks and mounts, from the description alone   store_flags  microvm.nix's flags for the store disk
 *   plan      what to build, as data  report    plans as JSON             docgen   schema and option reference
 *   images    makes the plan's files (disk_image, nix_images: of the store)  script    the runner's scripts      runner   publishes the directory
 *   manifest* what a runner says of itself, written and read   graph   what keeps what in a closure
 *   size*, why   what takes the space (packed, sizes: the numbers; treemap: the page's map)   package_name  names and versions of store paths
 *   diff*     what differs between two runners, and whether that needs a reboot   json_diff  between two JSON values
 *   cache     what the cache has, and what of it stays
 *   gcroots   what a runner needs on its host, protected from Nix's garbage collector
 *   build     a planned session made into a runner   shared  what several VMs of one run have in common: done once
 *   host/     the program microvm, the VMs of a host. main: its command line; verbs: create, update (and rollback), remove, fsck, list, ssh (and run), vsock;
 *             machine  a VM's directory   source, flake  what it is made from   runners, links, roots  what is in it   units  systemctl   pause  is it paused
 *             contents  whose a file in it is   by_hand  a VM without its unit
 *             custody  what in it counts, where the VMs' user makes files
 *             fleet*  all VMs of a host from one file: `mvmbuild host`
 *   base/     arena, buffers, diagnostics, files, processes, command lines; hold, remote: other builds, also on other
 *             machines; interrupts: told to stop; own: which files of an output are ours; ending, allocation: the machine fails
 *   ../backends/   one file per hypervisor: what it can, its arguments (parts: what they share)   ../imaging/  file formats, which know no VM
 */
#include <stdio.h>

#include "compiler/base/interrupts.h"
#include "compiler/session.h"

static enum status run(struct session *session, int argc, char *argv[])
{
	bool ok = cli_parse(session->arena, session->diag, argc, argv, &session->cli);
	if (ok && session->cli.help)
		cli_help(stdout);
	else if (ok && session->cli.version)
		puts("mvmbuild " MVM_VERSION);
	else if (ok)
		ok = session->cli.command->run(session);
	if (fflush(stdout) != 0 || ferror(stdout))
		ok = diag_error(session->diag, STATUS_FAILED, NULL, "output", "cannot write to standard output");
	const enum status status = ok && diag_error_count(session->diag) == 0 ? session->status : diag_failure(session->diag);
	diag_print(session->diag, stderr, session->cli.format, session->cli.quiet);
	return status;
}

int main(int argc, char *argv[])
{
	interrupts_clean_up(argc, argv);
	interrupts_handle();
	struct arena *arena = arena_new();
	struct session session = {.arena = arena, .diag = diag_new(arena)};
	enum status status = run(&session, argc, argv);
	arena_free(arena);
	return (int)status;
}

/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/file.h"
#include "compiler/runner/script.h"
#include "compiler/runner/script_text.h"
#include "compiler/storage/storage.h"
#include "compiler/storage/volume.h"

static bool starts_option(const struct argument *argument)
{
	const struct piece *first = argument->pieces.n ? &argument->pieces.v[0] : NULL;
	return first &&
		(first->kind == PIECE_RUN_AS ||
			(first->kind == PIECE_TEXT && first->text[0] == '-'));
}

/* Sets the variables of PIECE_RUN_AS, as the help of the installed QEMU says. */
static void put_run_as(struct buf *out, const struct argument *program)
{
	buf_puts(out, "case $(");
	script_put_pieces(out, &program->pieces);
	buf_puts(out,
		" -help) in\n"
		"*user=username*) run_as=-run-with run_as_key=user= ;;\n"
		"*) run_as=-runas run_as_key= ;;\n"
		"esac\n");
}

/* Writes each option and its values on a line. */
static const char *command(struct arena *arena, const struct command *command)
{
	static const char *const adders[] = {[WHEN_ALWAYS] = "add",
		[WHEN_KVM] = "with_kvm add",
		[WHEN_TCG] = "with_tcg add",
		[WHEN_UNAIDED] = "unaided add"};
	BUF_CLEANUP struct buf out = {0};
	enum when line = WHEN_ALWAYS;
	if (command_has(command, PIECE_RUN_AS))
		put_run_as(&out, &command->arguments.v[0]);
	for (size_t i = 0; i < command->arguments.n; i++) {
		const struct argument *argument = &command->arguments.v[i];
		if (i == 0 || argument->when != line || starts_option(argument))
			buf_printf(&out, "%s%s", i ? "\n" : "", adders[argument->when]);
		line = argument->when;
		buf_puts(&out, " ");
		script_put_pieces(&out, &argument->pieces);
	}
	return arena_strdup(arena, buf_text(&out));
}

/* ---- locks ---- */

/*
 * Whether the runner locks the images, because the hypervisor does not. The descriptors of the
 * locks follow those of the macvtaps.
 */
static bool holds_locks(const struct plan *plan)
{
	const struct backend *backend = plan->backend;
	return !plan->guest.on_mac && !(backend->locks_disks && backend->locks_disks(&plan->guest));
}

static int lock_descriptor(const struct plan *plan, const struct volume *volume)
{
	int fd = FIRST_FREE_FD;
	for (size_t i = 0; i < plan->guest.nnics; i++)
		fd += plan->guest.nics[i].fds ? (int)plan->guest.nics[i].queues : 0;
	return fd + (int)(volume - plan->vm->volumes.v);
}

static const char *lock_line(
	struct arena *arena, const struct plan *plan, const struct volume *volume)
{
	return arena_printf(arena, "lock_volume %d %s %s\n", lock_descriptor(plan, volume),
		script_quoted(arena, volume->image), volume_use(volume));
}

/* Locks the existing images before anything is changed. */
static const char *lock_volumes(struct arena *arena, const struct plan *plan)
{
	BUF_CLEANUP struct buf out = {0};
	for (size_t i = 0; holds_locks(plan) && i < plan->vm->volumes.n; i++)
		buf_puts(&out, lock_line(arena, plan, &plan->vm->volumes.v[i]));
	return arena_strdup(arena, buf_text(&out));
}

/* Closes the locks' descriptors for programs that may outlive the hypervisor. */
static const char *unlocked(struct arena *arena, const struct plan *plan)
{
	BUF_CLEANUP struct buf out = {0};
	for (size_t i = 0; holds_locks(plan) && i < plan->vm->volumes.n; i++)
		buf_printf(&out, " %d>&-", lock_descriptor(plan, &plan->vm->volumes.v[i]));
	return arena_strdup(arena, buf_text(&out));
}

static const char *create_volumes(struct arena *arena, const struct plan *plan)
{
	BUF_CLEANUP struct buf out = {0};
	for (size_t i = 0; i < plan->created.n; i++) {
		const struct created_volume *created = &plan->created.v[i];
		const char *image = script_quoted(arena, created->volume->image);
		unsigned long long mib = created->volume->size_mib;
		if (created->archive)
			buf_printf(&out, "create_volume %s archive \"$runner\"/%s\n", image,
				script_quoted(arena, created->archive));
		else
			buf_printf(&out, "create_volume %s mkfs %llu %s\n", image, mib,
				script_words(arena, &created->mkfs));
		/* Another runner may have created the image first. */
		buf_printf(&out, "need_owned 'the volume' %s\n", image);
		buf_puts(&out, holds_locks(plan) ? lock_line(arena, plan, created->volume) : "");
		buf_printf(&out, "grow_volume %s %llu %s", image, mib, created->volume->fs_type);
		if (holds_locks(plan))
			buf_printf(&out, " %d", lock_descriptor(plan, created->volume));
		buf_puts(&out, "\n");
	}
	return arena_strdup(arena, buf_text(&out));
}

static const char *link_disk(struct arena *arena, const struct plan *plan)
{
	return storage_disk_on_host(plan->vm)
		? arena_printf(arena, "link_disk %s",
			  script_quoted(arena, storage_disk_link(arena, plan->vm)))
		: "";
}

static const char *copy_database(struct arena *arena, const struct plan *plan)
{
	if (plan->storage->nix.database != NIX_DATABASE_HOST_OVERLAY)
		return "";
	/* The host's store has the same path, and so has the Nix state directory beside it. */
	const char *database = path_join(arena, plan->storage->nix.dir, "db");
	return arena_printf(arena, "copy_database %s %s", script_quoted(arena, database),
		script_quoted(arena, NIX_STATE_COPY));
}

/*
 * A macvtap's device is opened once per queue. Its number is known only when the interface is up.
 */
static const char *open_macvtaps(struct arena *arena, const struct plan *plan)
{
	BUF_CLEANUP struct buf out = {0};
	for (size_t i = 0; i < plan->guest.nnics; i++) {
		const struct nic *nic = &plan->guest.nics[i];
		for (unsigned k = 0; nic->fds && k < nic->queues; k++)
			buf_printf(&out, "exec %d<>\"/dev/tap$(cat /sys/class/net/%s/ifindex)\"\n",
				nic->fds[k], nic->interface->id);
	}
	return arena_strdup(arena, buf_text(&out));
}

/* Finds out whether a setuid program has to connect an interface to its bridge. */
static const char *find_bridges(struct arena *arena, const struct plan *plan)
{
	BUF_CLEANUP struct buf out = {0};
	for (size_t i = 0; i < plan->guest.nnics; i++) {
		const struct interface *interface = plan->guest.nics[i].interface;
		if (interface->type == INTERFACE_BRIDGE)
			buf_printf(&out, "has_own_tap %s || aided=yes\n",
				script_quoted(arena, interface->id));
	}
	return arena_strdup(arena, buf_text(&out));
}

/* Removes sockets that a crash left behind, unless a process still listens on them. */
static const char *remove_stale(struct arena *arena, const struct plan *plan)
{
	BUF_CLEANUP struct buf out = {0};
	for (size_t i = 0; i < plan->lowered.sockets.n; i++)
		buf_printf(&out, "remove_stale %s\n",
			script_quoted(arena, plan->lowered.sockets.v[i]));
	return arena_strdup(arena, buf_text(&out));
}

static const char *write_config(struct arena *arena, const struct plan *plan)
{
	const struct document *config = &plan->lowered.config;
	if (!config->name)
		return "";
	BUF_CLEANUP struct buf out = {0};
	buf_puts(&out, "printf '%s' ");
	script_put_pieces(&out, &config->pieces);
	buf_printf(&out, " >%s", script_quoted(arena, config->name));
	return arena_strdup(arena, buf_text(&out));
}

/* Prepares the hypervisor's environment and starts its companion program. */
static const char *surroundings(struct arena *arena, const struct plan *plan)
{
	const struct lowered *lowered = &plan->lowered;
	BUF_CLEANUP struct buf out = {0};
	if (lowered->sets_home)
		buf_puts(&out, "export HOME=$PWD\n");
	for (size_t i = 0; i < lowered->directories.n; i++)
		buf_printf(
			&out, "mkdir -p -- %s\n", script_quoted(arena, lowered->directories.v[i]));
	if (lowered->notify)
		buf_printf(&out,
			"\"$runner/libexec/mvm-host\" notify %s%s || fail 'cannot listen for the "
			"guest to report its startup'\n",
			script_quoted(arena, lowered->notify), unlocked(arena, plan));
	if (lowered->companion.command.arguments.n) {
		buf_printf(&out, "companion %s", script_quoted(arena, lowered->companion.socket));
		for (size_t i = 0; i < lowered->companion.command.arguments.n; i++) {
			buf_puts(&out, " ");
			script_put_pieces(&out, &lowered->companion.command.arguments.v[i].pieces);
		}
	}
	return arena_strdup(arena, buf_text(&out));
}

/* Starts the hypervisor; one that needs a terminal gets one if there is none, as under systemd. */
static const char *exec(struct arena *arena, const struct plan *plan)
{
	const char *process = arena_printf(arena, "microvm@%s", plan->vm->host_name);
	bool pretty = plan->vm->pretty_procnames;
	if (plan->lowered.terminal)
		return arena_printf(arena,
			"exec \"$runner/libexec/mvm-host\" tty %s \"${argv[@]}\"",
			pretty ? script_quoted(arena, process) : "\"${argv[0]}\"");
	return pretty
		? arena_printf(arena, "exec -a %s \"${argv[@]}\"", script_quoted(arena, process))
		: "exec \"${argv[@]}\"";
}

const char *script_run(struct arena *arena, const struct plan *plan)
{
	const struct vm *vm = plan->vm;
	static const char *const accels[] = {
		[ACCEL_KVM] = "$(MICROVM_ACCEL=kvm \"$runner/libexec/mvm-host\" accel) || exit 1",
		[ACCEL_PROBE] = "$(\"$runner/libexec/mvm-host\" accel) || exit 1",
		[ACCEL_TCG] = "tcg",
		[ACCEL_MACOS] = "macos",
	};
	const char *aio = script_aio(plan);
	const struct hole holes[] = {
		{"name", script_quoted(arena, vm->host_name)},
		{"accel", accels[plan->lowered.accel]},
		{"aio", aio ? arena_printf(arena, "aio=$(%s)", aio) : ""},
		{"arch", kernel_arch_name(plan->guest.arch)},
		{"place", script_part(arena, "place")},
		{"state", script_part(arena, "state")},
		{"functions", script_functions(arena, plan)},
		{"stopped", script_need_stopped(arena, plan)},
		{"stale", remove_stale(arena, plan)},
		{"serve", script_share_sockets(arena, plan, "serve_shares")},
		{"macvtaps", open_macvtaps(arena, plan)},
		{"bridges", find_bridges(arena, plan)},
		{"config", write_config(arena, plan)},
		{"surroundings", surroundings(arena, plan)},
		/*
		 * The template uses it twice: before the volumes are created, and before the guest
		 * starts.
		 */
		{"startup",
			plan->lowered.notify ? arena_printf(arena, "give_time %llu",
						       (unsigned long long)vm->startup_timeout)
					     : ""},
		/* the empty line: a backslash at the end would join the next one */
		{"pre_start",
			*vm->pre_start ? arena_printf(arena, "%s\n\nmvm_define", vm->pre_start)
				       : ""},
		{"locks", lock_volumes(arena, plan)},
		{"unlocked", unlocked(arena, plan)},
		{"volumes", create_volumes(arena, plan)},
		{"database", copy_database(arena, plan)},
		{"store_disk", link_disk(arena, plan)},
		{"needs", script_needs(arena, plan)},
		{"command", command(arena, &plan->lowered.command)},
		/* The shell splits the script's output into words. */
		{"extra_args",
			vm->extra_args_script
				? arena_printf(arena,
					  "extra_args=$(%s) ||\n"
					  "\tfail \"extraArgsScript ended with the status $?\"\n"
					  "# shellcheck disable=SC2086\n"
					  "add $extra_args",
					  vm->extra_args_script)
				: ""},
		{"exec", exec(arena, plan)},
		{NULL, NULL},
	};
	return script_fill(arena, plan, "microvm-run", holes);
}

/* SPDX-License-Identifier: MIT */
#include "compiler/script.h"

#include <assert.h>
#include <string.h>

#include "compiler/base/buf.h"
#include "templates/embedded.h"

/* A text for a hole of a template: `@name@`. */
struct hole {
	const char *name;
	const char *text; /* shell, already quoted */
};

static const struct embedded_file *template_find(const char *name)
{
	for (const struct embedded_file *file = embedded_files; file->name; file++)
		if (strcmp(file->name, name) == 0)
			return file;
	return NULL;
}

static const char *hole_text(const struct hole *holes, const char *name, size_t length)
{
	for (; holes->name; holes++)
		if (strlen(holes->name) == length && strncmp(holes->name, name, length) == 0)
			return holes->text;
	return NULL;
}

/* Replaces `@name@` by the hole's text; an @ that begins no hole stays as it is. */
static void fill(struct buf *out, const struct embedded_file *template, const struct hole *holes)
{
	for (const char *at = template->begin; at < template->end;) {
		const char *open = memchr(at, '@', (size_t)(template->end - at));
		if (!open) {
			buf_add(out, at, (size_t)(template->end - at));
			return;
		}
		buf_add(out, at, (size_t)(open - at));
		size_t length = strspn(open + 1, "abcdefghijklmnopqrstuvwxyz_");
		const char *text = open[1 + length] == '@' ? hole_text(holes, open + 1, length) : NULL;
		buf_puts(out, text ? text : "@");
		at = text ? open + length + 2 : open + 1;
	}
}

static const char *script(struct arena *arena, const struct plan *plan, const char *name, const struct hole *holes)
{
	const struct embedded_file *template = template_find(name);
	assert(template);
	BUF_CLEANUP struct buf out = {0};
	buf_printf(&out, "#!%s\n", plan->vm->host_shell);
	fill(&out, template, holes);
	return arena_strndup(arena, buf_text(&out), out.n);
}

/* ---- texts for the holes ---- */

static const char *quoted(struct arena *arena, const char *text)
{
	BUF_CLEANUP struct buf out = {0};
	buf_shell_quote(&out, text);
	return arena_strdup(arena, buf_text(&out));
}

static const char *environment(struct arena *arena, const struct plan *plan)
{
	const struct strings *path = &plan->vm->host_path;
	BUF_CLEANUP struct buf out = {0};
	if (path->n) {
		BUF_CLEANUP struct buf joined = {0};
		for (size_t i = 0; i < path->n; i++)
			buf_printf(&joined, "%s%s", i ? ":" : "", path->v[i]);
		buf_puts(&out, "PATH=");
		buf_shell_quote(&out, buf_text(&joined));
		buf_puts(&out, "${PATH:+:$PATH}\n");
	}
	buf_puts(&out, "runner=$(dirname -- \"$(dirname -- \"$(readlink -f -- \"${BASH_SOURCE[0]}\")\")\")");
	return arena_strdup(arena, buf_text(&out));
}

static void put_pieces(struct buf *out, const struct pieces *pieces)
{
	static const char *const late[] = {
		[PIECE_RUNNER] = "\"$runner\"",
		[PIECE_RUNNER_COMMAS] = "\"${runner//,/,,}\"",
		[PIECE_RUNNER_JSON] = "\"$(json \"$runner\")\"",
		[PIECE_PARAMETERS] = "\"$parameters\"",
		[PIECE_PARAMETERS_JSON] = "\"$(json \"$parameters\")\"",
		[PIECE_BRIDGE_HELPER] = "\"$(bridge_helper)\"",
		[PIECE_STATE_URL] = "\"$(url \"$PWD\")\"",
		[PIECE_WAYLAND] = "\"${XDG_RUNTIME_DIR:?is not set}/${WAYLAND_DISPLAY:?is not set}\"",
	};
	for (size_t i = 0; i < pieces->n; i++) {
		const struct piece *piece = &pieces->v[i];
		if (piece->kind == PIECE_TEXT)
			buf_shell_quote(out, piece->text);
		else if (piece->kind == PIECE_MACVTAP)
			buf_printf(out, "\"/dev/tap$(cat /sys/class/net/%s/ifindex)\"", piece->text);
		else
			buf_puts(out, late[piece->kind]);
	}
}

static bool starts_option(const struct argument *argument)
{
	return argument->pieces.n && argument->pieces.v[0].kind == PIECE_TEXT && argument->pieces.v[0].text[0] == '-';
}

/* One option with its values on a line. */
static const char *command(struct arena *arena, const struct command *command)
{
	static const char *const adders[] = {[WHEN_ALWAYS] = "add", [WHEN_KVM] = "with_kvm add", [WHEN_TCG] = "with_tcg add"};
	BUF_CLEANUP struct buf out = {0};
	enum when line = WHEN_ALWAYS;
	for (size_t i = 0; i < command->arguments.n; i++) {
		const struct argument *argument = &command->arguments.v[i];
		if (i == 0 || argument->when != line || starts_option(argument))
			buf_printf(&out, "%s%s", i ? "\n" : "", adders[argument->when]);
		line = argument->when;
		buf_puts(&out, " ");
		put_pieces(&out, &argument->pieces);
	}
	return arena_strdup(arena, buf_text(&out));
}

static const char *words(struct arena *arena, const struct strings *list)
{
	BUF_CLEANUP struct buf out = {0};
	for (size_t i = 0; i < list->n; i++) {
		buf_puts(&out, i ? " " : "");
		buf_shell_quote(&out, list->v[i]);
	}
	return arena_strdup(arena, buf_text(&out));
}

/* A line "FUNCTION 'A' 'B'" for each file that must be there when the VM starts. */
static const char *needs(struct arena *arena, const struct plan *plan, const char *function)
{
	BUF_CLEANUP struct buf out = {0};
	const struct file_ref *const files[] = {&plan->guest.kernel, &plan->guest.initrd};
	static const char *const names[] = {"the kernel", "the initrd"};
	for (size_t i = 0; i < countof(files); i++)
		if (files[i]->path && !files[i]->in_runner)
			buf_printf(&out, "%s %s %s\n", function, quoted(arena, names[i]), quoted(arena, files[i]->path));
	for (size_t i = 0; i < plan->vm->credential_files.n; i++)
		buf_printf(&out, "%s 'the credential' %s\n", function, quoted(arena, plan->vm->credential_files.v[i].value));
	return arena_strdup(arena, buf_text(&out));
}

/* A line "FUNCTION 'SOCKET'". */
static const char *stopped(struct arena *arena, const struct plan *plan, const char *function)
{
	const char *socket = plan->vm->socket;
	return socket ? arena_printf(arena, "%s %s\n", function, quoted(arena, socket)) : "";
}

static const char *create_volumes(struct arena *arena, const struct plan *plan)
{
	BUF_CLEANUP struct buf out = {0};
	for (size_t i = 0; i < plan->vm->volumes.n; i++)
		if (!plan->vm->volumes.v[i].auto_create)
			buf_printf(&out, "need_file 'the volume' %s\n", quoted(arena, plan->vm->volumes.v[i].image));
	for (size_t i = 0; i < plan->created.n; i++)
		buf_printf(&out, "create_volume %s %s %s\n", quoted(arena, plan->created.v[i].volume->image), quoted(arena, plan->created.v[i].archive),
			   quoted(arena, plan->created.v[i].member));
	return arena_strdup(arena, buf_text(&out));
}

/* What others make before the VM starts: lines "VERB_virtiofsd …", "VERB_interface …". */
static const char *connections(struct arena *arena, const struct plan *plan, const char *verb)
{
	BUF_CLEANUP struct buf out = {0};
	for (size_t i = 0; i < plan->vm->shares.n; i++) {
		const struct share *share = &plan->vm->shares.v[i];
		if (strcmp(share->proto, "virtiofs") == 0 && plan->lowered.accel != ACCEL_MACOS)
			buf_printf(&out, "%s_virtiofsd %s %s\n", verb, quoted(arena, share->tag), quoted(arena, share->socket));
	}
	for (size_t i = 0; i < plan->guest.nnics; i++) {
		const struct interface *interface = plan->guest.nics[i].interface;
		if (strcmp(interface->type, "tap") == 0 || strcmp(interface->type, "macvtap") == 0)
			buf_printf(&out, "%s_interface %s %s\n", verb, interface->type, interface->id);
	}
	return arena_strdup(arena, buf_text(&out));
}

/* A macvtap's device is opened once for each queue; its number is known when the interface is up. */
static const char *open_macvtaps(struct arena *arena, const struct plan *plan)
{
	BUF_CLEANUP struct buf out = {0};
	for (size_t i = 0; i < plan->guest.nnics; i++) {
		const struct nic *nic = &plan->guest.nics[i];
		for (unsigned k = 0; nic->fds && k < nic->queues; k++)
			buf_printf(&out, "exec %d<>\"/dev/tap$(cat /sys/class/net/%s/ifindex)\"\n", nic->fds[k], nic->interface->id);
	}
	return arena_strdup(arena, buf_text(&out));
}

/* What a crash left behind is removed, unless somebody still listens. */
static const char *remove_stale(struct arena *arena, const struct plan *plan)
{
	BUF_CLEANUP struct buf out = {0};
	for (size_t i = 0; i < plan->lowered.stale.n; i++)
		buf_printf(&out, "remove_stale %s\n", quoted(arena, plan->lowered.stale.v[i]));
	return arena_strdup(arena, buf_text(&out));
}

static const char *write_config(struct arena *arena, const struct plan *plan)
{
	const struct document *config = &plan->lowered.config;
	if (!config->name)
		return "";
	BUF_CLEANUP struct buf out = {0};
	buf_puts(&out, "printf '%s' ");
	put_pieces(&out, &config->pieces);
	buf_printf(&out, " >%s", quoted(arena, config->name));
	return arena_strdup(arena, buf_text(&out));
}

/* What the hypervisor wants to find, and a program beside it. */
static const char *surroundings(struct arena *arena, const struct plan *plan)
{
	const struct lowered *lowered = &plan->lowered;
	BUF_CLEANUP struct buf out = {0};
	if (lowered->unquotable)
		buf_printf(&out, "need_runner_without %s\n", quoted(arena, lowered->unquotable));
	if (lowered->home)
		buf_puts(&out, "export HOME=$PWD\n");
	for (size_t i = 0; i < lowered->directories.n; i++)
		buf_printf(&out, "mkdir -p -- %s\n", quoted(arena, lowered->directories.v[i]));
	if (lowered->companion.command.arguments.n) {
		buf_printf(&out, "companion %s", quoted(arena, lowered->companion.socket));
		for (size_t i = 0; i < lowered->companion.command.arguments.n; i++) {
			buf_puts(&out, " ");
			put_pieces(&out, &lowered->companion.command.arguments.v[i].pieces);
		}
	}
	return arena_strdup(arena, buf_text(&out));
}

/* A hypervisor that needs a terminal gets one where there is none, as under systemd. */
static const char *exec(struct arena *arena, const struct plan *plan)
{
	const char *process = arena_printf(arena, "microvm@%s", plan->vm->host_name);
	bool pretty = plan->vm->pretty_procnames;
	if (plan->lowered.terminal)
		return arena_printf(arena, "exec \"$runner/libexec/mvm-host\" tty %s \"${argv[@]}\"", pretty ? quoted(arena, process) : "\"${argv[0]}\"");
	return pretty ? arena_printf(arena, "exec -a %s \"${argv[@]}\"", quoted(arena, process)) : "exec \"${argv[@]}\"";
}

static const char *script_run(struct arena *arena, const struct plan *plan)
{
	const struct vm *vm = plan->vm;
	static const char *const accels[] = {
		[ACCEL_KVM] = "$(MICROVM_ACCEL=kvm \"$runner/libexec/mvm-host\" accel) || exit 1",
		[ACCEL_PROBE] = "$(\"$runner/libexec/mvm-host\" accel) || exit 1",
		[ACCEL_TCG] = "tcg",
		[ACCEL_MACOS] = "macos",
	};
	const struct hole holes[] = {
		{"environment", environment(arena, plan)},
		{"name", quoted(arena, vm->host_name)},
		{"accel", accels[plan->lowered.accel]},
		{"arch", kernel_arch_name(plan->guest.arch)},
		{"stopped", stopped(arena, plan, "need_stopped")},
		{"stale", remove_stale(arena, plan)},
		{"connections", connections(arena, plan, "need")},
		{"macvtaps", open_macvtaps(arena, plan)},
		{"config", write_config(arena, plan)},
		{"surroundings", surroundings(arena, plan)},
		{"pre_start", vm->pre_start},
		{"volumes", create_volumes(arena, plan)},
		{"needs", needs(arena, plan, "need_file")},
		{"command", command(arena, &plan->lowered.command)},
		/* Its output is a line of words, split as the shell splits. */
		{"extra_args", vm->extra_args_script ? arena_printf(arena, "# shellcheck disable=SC2046\nadd $(%s)", vm->extra_args_script) : ""},
		{"exec", exec(arena, plan)},
		{NULL, NULL},
	};
	return script(arena, plan, "runner/microvm-run.sh", holes);
}

static const char *script_host(struct arena *arena, const struct plan *plan, const char *name, const struct strings *arguments)
{
	const struct hole holes[] = {{"environment", environment(arena, plan)}, {"arguments", words(arena, arguments)}, {NULL, NULL}};
	return script(arena, plan, name, holes);
}

static const char *script_shutdown(struct arena *arena, const struct plan *plan)
{
	return plan->lowered.shutdown.n ? script_host(arena, plan, "runner/microvm-shutdown.sh", &plan->lowered.shutdown) : NULL;
}

static const char *script_balloon(struct arena *arena, const struct plan *plan)
{
	return plan->lowered.balloon.n ? script_host(arena, plan, "runner/microvm-balloon.sh", &plan->lowered.balloon) : NULL;
}

static const char *script_check(struct arena *arena, const struct plan *plan)
{
	BUF_CLEANUP struct buf checks = {0};
	const struct argument *program = &plan->lowered.command.arguments.v[0];
	buf_puts(&checks, "check_program ");
	put_pieces(&checks, &program->pieces);
	buf_printf(&checks, "\n%s%s", stopped(arena, plan, "check_stopped"), needs(arena, plan, "check_file"));
	buf_puts(&checks, connections(arena, plan, "check"));
	for (size_t i = 0; i < plan->vm->volumes.n; i++) {
		const struct volume *volume = &plan->vm->volumes.v[i];
		buf_printf(&checks, "check_volume %s %s %s\n", quoted(arena, volume->image), volume->read_only ? "true" : "false",
			   volume->auto_create ? "true" : "false");
	}
	if (plan->lowered.accel == ACCEL_KVM || plan->lowered.accel == ACCEL_PROBE)
		buf_printf(&checks, "%s\"$runner/libexec/mvm-host\" accel >/dev/null || missing=1", plan->lowered.accel == ACCEL_KVM ? "MICROVM_ACCEL=kvm " : "");
	const struct hole holes[] = {{"environment", environment(arena, plan)}, {"checks", buf_text(&checks)}, {NULL, NULL}};
	return script(arena, plan, "runner/microvm-check.sh", holes);
}

const char *script_macos_host(struct arena *arena, const struct plan *plan)
{
	return script(arena, plan, "runner/mvm-host-macos.sh", &(const struct hole){NULL, NULL});
}

static const char *script_custom(struct arena *arena, const struct plan *plan, const char *text)
{
	return arena_printf(arena, "#!%s\n%s%s", plan->vm->host_shell, text, *text && text[strlen(text) - 1] == '\n' ? "" : "\n");
}

/* NULL: this VM has no such script. */
static const struct {
	const char *name;
	const char *(*make)(struct arena *arena, const struct plan *plan);
} all[] = {
	{"microvm-run", script_run},
	{"microvm-shutdown", script_shutdown},
	{"microvm-balloon", script_balloon},
	{"microvm-check", script_check},
};

void scripts_make(struct arena *arena, const struct plan *plan, struct runner_scripts *scripts)
{
	const struct pairs *custom = &plan->vm->bin_scripts;
	*scripts = (struct runner_scripts){0};
	for (size_t i = 0; i < countof(all); i++) {
		const char *text = all[i].make(arena, plan);
		if (text)
			vec_push(arena, scripts, (struct runner_script){all[i].name, text});
	}
	for (size_t i = 0; i < custom->n; i++)
		vec_push(arena, scripts, (struct runner_script){custom->v[i].key, script_custom(arena, plan, custom->v[i].value)});
}

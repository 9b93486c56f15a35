/* SPDX-License-Identifier: MIT */
#include "compiler/script.h"

#include <assert.h>
#include <string.h>

#include "compiler/base/buf.h"
#include "templates/embedded.h"

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

static void put_argument(struct buf *out, const struct argument *argument)
{
	for (size_t i = 0; i < argument->pieces.n; i++) {
		const struct piece *piece = &argument->pieces.v[i];
		if (piece->kind == PIECE_TEXT)
			buf_shell_quote(out, piece->text);
		else if (piece->kind == PIECE_RUNNER)
			buf_puts(out, "\"$runner\"");
		else if (piece->kind == PIECE_RUNNER_COMMAS)
			buf_puts(out, "\"${runner//,/,,}\"");
		else
			buf_puts(out, "\"$parameters\"");
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
		put_argument(&out, argument);
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

const char *script_run(struct arena *arena, const struct plan *plan)
{
	const struct vm *vm = plan->vm;
	const char *process = arena_printf(arena, "microvm@%s", vm->host_name);
	const struct hole holes[] = {
		{"environment", environment(arena, plan)},
		{"name", quoted(arena, vm->host_name)},
		{"accel", plan->lowered.falls_back_to_tcg ? "$(\"$runner/libexec/mvm-host\" accel) || exit 1" : "kvm"},
		{"stopped", stopped(arena, plan, "need_stopped")},
		{"pre_start", vm->pre_start},
		{"volumes", create_volumes(arena, plan)},
		{"needs", needs(arena, plan, "need_file")},
		{"command", command(arena, &plan->lowered.command)},
		/* Its output is a line of words, split as the shell splits. */
		{"extra_args", vm->extra_args_script ? arena_printf(arena, "# shellcheck disable=SC2046\nadd $(%s)", vm->extra_args_script) : ""},
		{"exec", vm->pretty_procnames ? arena_printf(arena, "exec -a %s \"${argv[@]}\"", quoted(arena, process)) : "exec \"${argv[@]}\""},
		{NULL, NULL},
	};
	return script(arena, plan, "runner/microvm-run.sh", holes);
}

static const char *script_host(struct arena *arena, const struct plan *plan, const char *name, const struct strings *arguments)
{
	const struct hole holes[] = {{"environment", environment(arena, plan)}, {"arguments", words(arena, arguments)}, {NULL, NULL}};
	return script(arena, plan, name, holes);
}

const char *script_shutdown(struct arena *arena, const struct plan *plan)
{
	return script_host(arena, plan, "runner/microvm-shutdown.sh", &plan->lowered.shutdown);
}

const char *script_balloon(struct arena *arena, const struct plan *plan)
{
	return script_host(arena, plan, "runner/microvm-balloon.sh", &plan->lowered.balloon);
}

const char *script_check(struct arena *arena, const struct plan *plan)
{
	BUF_CLEANUP struct buf checks = {0};
	const struct argument *program = &plan->lowered.command.arguments.v[0];
	buf_puts(&checks, "check_program ");
	put_argument(&checks, program);
	buf_printf(&checks, "\n%s%s", stopped(arena, plan, "check_stopped"), needs(arena, plan, "check_file"));
	for (size_t i = 0; i < plan->vm->volumes.n; i++) {
		const struct volume *volume = &plan->vm->volumes.v[i];
		buf_printf(&checks, "check_volume %s %s %s\n", quoted(arena, volume->image), volume->read_only ? "true" : "false",
			   volume->auto_create ? "true" : "false");
	}
	if (plan->lowered.falls_back_to_tcg)
		buf_puts(&checks, "\"$runner/libexec/mvm-host\" accel >/dev/null || missing=1");
	const struct hole holes[] = {{"environment", environment(arena, plan)}, {"checks", buf_text(&checks)}, {NULL, NULL}};
	return script(arena, plan, "runner/microvm-check.sh", holes);
}

const char *script_custom(struct arena *arena, const struct plan *plan, const char *text)
{
	return arena_printf(arena, "#!%s\n%s%s", plan->vm->host_shell, text, *text && text[strlen(text) - 1] == '\n' ? "" : "\n");
}

/* SPDX-License-Identifier: MIT */
#include "compiler/runner/script_text.h"

#include <assert.h>
#include <string.h>

#include "templates/embedded.h"

/* Returns the template runner/NAME.sh, which must exist. */
static const struct embedded_file *template_find(struct arena *arena, const char *name)
{
	const char *wanted = arena_printf(arena, "runner/%s.sh", name);
	const struct embedded_file *file = embedded_files;
	while (file->name && strcmp(file->name, wanted) != 0)
		file++;
	assert(file->name);
	return file;
}

static bool is_named(const char *hole, const char *name, size_t length)
{
	return strlen(hole) == length && strncmp(hole, name, length) == 0;
}

static const char *hole_text(
	const struct hole *holes, const char *path, const char *name, size_t length)
{
	if (is_named("path", name, length))
		return path;
	for (; holes->name; holes++)
		if (is_named(holes->name, name, length))
			return holes->text;
	return NULL;
}

/* Replaces each `@name@` with the placeholder's text and leaves any other @ unchanged. */
static void fill(struct buf *out, const struct embedded_file *template, const char *path,
	const struct hole *holes)
{
	for (const char *at = template->begin; at < template->end;) {
		const char *open = memchr(at, '@', (size_t)(template->end - at));
		if (!open) {
			buf_add(out, at, (size_t)(template->end - at));
			return;
		}
		buf_add(out, at, (size_t)(open - at));
		size_t length = strspn(open + 1, "abcdefghijklmnopqrstuvwxyz_");
		const char *text =
			open[1 + length] == '@' ? hole_text(holes, path, open + 1, length) : NULL;
		buf_puts(out, text ? text : "@");
		at = text ? open + length + 2 : open + 1;
	}
}

const char *script_quoted(struct arena *arena, const char *text)
{
	BUF_CLEANUP struct buf out = {0};
	buf_shell_quote(&out, text);
	return arena_strdup(arena, buf_text(&out));
}

/* Returns the line that prepends hostPath to PATH. */
static const char *path_line(struct arena *arena, const struct plan *plan)
{
	const struct strings *path = &plan->vm->host_path;
	BUF_CLEANUP struct buf joined = {0};
	for (size_t i = 0; i < path->n; i++)
		buf_printf(&joined, "%s%s", i ? ":" : "", path->v[i]);
	return path->n ? arena_printf(arena, "PATH=%s${PATH:+:$PATH}",
				 script_quoted(arena, buf_text(&joined)))
		       : "";
}

const char *script_fill(
	struct arena *arena, const struct plan *plan, const char *name, const struct hole *holes)
{
	const struct embedded_file *template = template_find(arena, name);
	BUF_CLEANUP struct buf out = {0};
	buf_printf(&out, "#!%s\n", plan->vm->host_shell);
	fill(&out, template, path_line(arena, plan), holes);
	return arena_strndup(arena, buf_text(&out), out.n);
}

const char *script_part(struct arena *arena, const char *name)
{
	const struct embedded_file *template = template_find(arena, name);
	return arena_strndup(arena, template->begin, (size_t)(template->end - template->begin));
}

const char *script_words(struct arena *arena, const struct strings *list)
{
	BUF_CLEANUP struct buf out = {0};
	for (size_t i = 0; i < list->n; i++) {
		buf_puts(&out, i ? " " : "");
		buf_shell_quote(&out, list->v[i]);
	}
	return arena_strdup(arena, buf_text(&out));
}

/*
 * Calls a function of runner/microvm-run.sh; `function` has `n` arguments, of which the first may
 * be a path in the runner.
 */
static void put_call(
	struct buf *out, const char *function, bool in_runner, const char *const *words, size_t n)
{
	buf_printf(out, "\"$(%s", function);
	for (size_t i = 0; i < n; i++) {
		buf_puts(out, i == 0 && in_runner ? " \"$runner\"/" : " ");
		buf_shell_quote(out, words[i]);
	}
	buf_puts(out, ")\"");
}

void script_put_pieces(struct buf *out, const struct pieces *pieces)
{
	static const char *const late[] = {
		[PIECE_RUNNER] = "\"$runner\"",
		[PIECE_RUNNER_COMMAS] = "\"${runner//,/,,}\"",
		[PIECE_RUNNER_JSON] = "\"$(json \"$runner\")\"",
		[PIECE_PARAMETERS] = "\"$parameters\"",
		[PIECE_PARAMETERS_JSON] = "\"$(json \"$parameters\")\"",
		[PIECE_STATE_URL] = "\"$(url \"$PWD\")\"",
		[PIECE_AIO] = "\"$aio\"",
		[PIECE_ENGINE_JSON] = "\"$([ \"$aio\" = io_uring ] && echo Async || echo Sync)\"",
		[PIECE_WAYLAND] =
			"\"${XDG_RUNTIME_DIR:?is not set}/${WAYLAND_DISPLAY:?is not set}\"",
		[PIECE_RUN_AS] = "\"$run_as\"",
		[PIECE_RUN_AS_KEY] = "\"$run_as_key\"",
	};
	for (size_t i = 0; i < pieces->n; i++) {
		const struct piece *piece = &pieces->v[i];
		if (piece->kind == PIECE_TEXT)
			buf_shell_quote(out, piece->text);
		else if (piece->kind == PIECE_DIRECT)
			put_call(out, "where_direct", piece->in_runner,
				(const char *const[]){piece->image, piece->text, piece->otherwise},
				3);
		else if (piece->kind == PIECE_BRIDGE)
			put_call(out, "bridge_netdev", false,
				(const char *const[]){piece->text, piece->bridge}, 2);
		else if (piece->kind == PIECE_FILE_BYTES)
			put_call(out, "bytes_of", false, &piece->image, 1);
		else if (piece->kind == PIECE_SUM_MIB)
			put_call(out, "with_mib", false,
				(const char *const[]){piece->text, piece->image}, 2);
		else if (piece->kind == PIECE_MACVTAP)
			buf_printf(
				out, "\"/dev/tap$(cat /sys/class/net/%s/ifindex)\"", piece->text);
		else
			buf_puts(out, late[piece->kind]);
	}
}

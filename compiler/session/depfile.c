/* SPDX-License-Identifier: MIT */
#include "compiler/session/depfile.h"

#include <string.h>

#include "base/buf.h"
#include "base/file.h"

/* Quotes a name as gcc -MD does, and as make and ninja expect it. */
static void put_name(struct buf *out, const char *name)
{
	for (; *name; name++) {
		if (strchr(" #\\", *name))
			buf_puts(out, "\\");
		if (*name == '$')
			buf_puts(out, "$");
		buf_add(out, name, 1);
	}
}

static void put_input(struct buf *out, const char *path)
{
	if (!path)
		return;
	buf_puts(out, " \\\n  ");
	put_name(out, path);
}

bool depfile_write(struct arena *arena, struct diag *diag, const char *path, const char *output,
	const struct strings *descriptions, const struct plan *plan)
{
	BUF_CLEANUP struct buf rule = {0};
	put_name(&rule, output);
	buf_puts(&rule, ":");
	for (size_t i = 0; i < descriptions->n; i++)
		put_input(&rule, strcmp(descriptions->v[i], "-") == 0 ? NULL : descriptions->v[i]);
	put_input(&rule, plan->vm->closure);
	put_input(&rule, plan->system.toplevel);
	put_input(&rule, plan->system.kernel.path);
	put_input(&rule, plan->system.initrd);
	for (size_t i = 0; i < plan->modules.n; i++)
		put_input(&rule, plan->modules.v[i].path);
	buf_puts(&rule, "\n");
	return file_rewrite(arena, diag, path, buf_text(&rule), rule.n, 0644);
}

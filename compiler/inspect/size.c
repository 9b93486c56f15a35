/* SPDX-License-Identifier: MIT */
/* size: the report of the command `size`, as text and as JSON. */
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/number.h"
#include "base/printable.h"
#include "compiler/inspect/inspect.h"
#include "compiler/inspect/size_text.h"
#include "compiler/inspect/sizes.h"

/* ---- text ---- */

static void print_head(struct arena *arena, struct buf *out, const struct sizes *sizes)
{
	const struct packed *packed = sizes->packed;
	buf_printf(out, "%zu store path%s, %s", packed->closure.n, plural(packed->closure.n),
		size_text(arena, sizes->total.raw));
	if (packed->host_disk)
		buf_puts(out, "; the host links the store disk\n");
	else if (!packed->on_disk)
		buf_puts(out, "; no store disk\n");
	else if (packed->disk_bytes)
		buf_printf(out, "; store disk %s%s\n", size_text(arena, packed->disk_bytes),
			tree_text(arena, packed));
	else if (packed->unbuilt_plain)
		buf_printf(out, "; not built: %s without compression\n",
			stored_text(arena, sizes, &sizes->total));
	else
		buf_printf(out, "; not built: %zu path%s in the cache, compressed %s\n",
			packed->closure.n - sizes->total.unknown,
			plural(packed->closure.n - sizes->total.unknown),
			stored_text(arena, sizes, &sizes->total));
}

static void print_row(struct arena *arena, struct buf *out, const struct sizes *sizes, size_t path,
	const struct size *alone)
{
	const struct path_size *size = &sizes->paths[path];
	buf_printf(out, "%10s %11s %10s %10s %10s  %s\n", size_text(arena, size->own.raw),
		stored_text(arena, sizes, &size->own), size_text(arena, size->closure.raw),
		size_text(arena, alone->raw), size_text(arena, size->closure.raw - alone->raw),
		printable_text(arena, sizes->packed->closure.v[path].path));
}

static void print_columns(struct buf *out, const char *what)
{
	buf_printf(out, "\n%10s %11s %10s %10s %10s  %s\n", "raw", "compressed", "closure", "alone",
		"shared", what);
}

static void sizes_print(struct arena *arena, struct buf *out, const struct sizes *sizes)
{
	print_head(arena, out, sizes);
	print_columns(out, "root");
	for (size_t i = 0; i < sizes->graph.nroots; i++) {
		const struct size alone = root_alone(sizes, sizes->graph.roots[i]);
		print_row(arena, out, sizes, sizes->graph.roots[i], &alone);
	}
	print_columns(out, "store path");
	for (size_t i = 0; i < sizes->packed->closure.n; i++)
		print_row(arena, out, sizes, sizes->by_size[i],
			&sizes->paths[sizes->by_size[i]].alone);
}

/* ---- JSON ---- */

static void set(struct json_object *object, const char *key, struct json_object *value)
{
	json_object_object_add(object, key, value);
}

static struct json_object *bytes_json(uint64_t bytes)
{
	return json_object_new_uint64(bytes);
}

static void set_size(const struct sizes *sizes, struct json_object *object, const char *raw,
	const char *stored, const struct size *size)
{
	set(object, raw, bytes_json(size->raw));
	set(object, stored,
		sizes->packed->on_disk && size->unknown == 0 ? bytes_json(size->stored) : NULL);
}

static struct json_object *row_json(
	const struct sizes *sizes, size_t path, const struct size *alone)
{
	const struct path_size *size = &sizes->paths[path];
	const struct closure *closure = &sizes->packed->closure;
	const size_t dominator = sizes->graph.dominator[path];
	struct json_object *object = json_object_new_object();
	set(object, "path", json_object_new_string(closure->v[path].path));
	set_size(sizes, object, "narSize", "compressedSize", &size->own);
	set_size(sizes, object, "closureSize", "closureCompressedSize", &size->closure);
	set_size(sizes, object, "aloneSize", "aloneCompressedSize", alone);
	set(object, "sharedSize", bytes_json(size->closure.raw - alone->raw));
	set(object, "keptBy",
		dominator < closure->n ? json_object_new_string(closure->v[dominator].path) : NULL);
	return object;
}

static struct json_object *sizes_json(const struct sizes *sizes)
{
	const struct packed *packed = sizes->packed;
	struct json_object *object = json_object_new_object(), *roots = json_object_new_array(),
			   *paths = json_object_new_array();
	set(object, "name", json_object_new_string(packed->name));
	set(object, "runner", packed->runner ? json_object_new_string(packed->runner) : NULL);
	set(object, "paths", json_object_new_uint64(packed->closure.n));
	set_size(sizes, object, "narSize", "compressedSize", &sizes->total);
	set(object, "estimated", json_object_new_boolean(sizes->estimated));
	set(object, "storeDiskSize", packed->disk_bytes ? bytes_json(packed->disk_bytes) : NULL);
	set(object, "hashTreeSize", packed->tree_bytes ? bytes_json(packed->tree_bytes) : NULL);
	for (size_t i = 0; i < sizes->graph.nroots; i++) {
		const struct size alone = root_alone(sizes, sizes->graph.roots[i]);
		json_object_array_add(roots, row_json(sizes, sizes->graph.roots[i], &alone));
	}
	for (size_t i = 0; i < packed->closure.n; i++)
		json_object_array_add(paths,
			row_json(sizes, sizes->by_size[i], &sizes->paths[sizes->by_size[i]].alone));
	set(object, "roots", roots);
	set(object, "closure", paths);
	return object;
}

/* ---- the command ---- */

static bool measure(struct session *session, struct packed *packed, struct sizes *sizes)
{
	if (!packed_load(session, packed))
		return false;
	sizes_make(session->arena, packed, sizes);
	return true;
}

static bool is_page(const char *first_line)
{
	return strncmp(first_line, "<?xml", strlen("<?xml")) == 0;
}

bool inspect_size_page(struct session *session, const char *path)
{
	BUF_CLEANUP struct buf page = {0};
	struct packed packed;
	struct sizes sizes;
	if (!measure(session, &packed, &sizes))
		return false;
	sizes_html(session->arena, &page, &sizes);
	if (strcmp(path, "-") == 0)
		/* Errors are reported when the program closes stdout. */
		return fwrite(page.p, 1, page.n, stdout) == page.n;
	return file_spare(session->diag, "--html", path, is_page) &&
		file_rewrite(session->arena, session->diag, path, buf_text(&page), page.n, 0644);
}

bool inspect_size(struct session *session, struct inspection *report)
{
	BUF_CLEANUP struct buf text = {0};
	struct packed packed;
	struct sizes sizes;
	if (!measure(session, &packed, &sizes))
		return false;
	report->name = packed.name;
	if (report->wants_json) {
		report->json = sizes_json(&sizes);
		return true;
	}
	sizes_print(session->arena, &text, &sizes);
	report->text = arena_strdup(session->arena, buf_text(&text));
	return true;
}

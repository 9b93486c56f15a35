/* SPDX-License-Identifier: MIT */
/*
 * size_html: the page of `size --html`: XHTML with embedded SVG, without scripts or external
 * resources. A rectangle is a store path. It contains the paths that only this path keeps (its
 * children in the dominator tree); the empty part stands for the path itself.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/number.h"
#include "compiler/inspect/package_name.h"
#include "compiler/inspect/size_text.h"
#include "compiler/inspect/sizes.h"
#include "compiler/inspect/treemap.h"

enum {
	MAP_WIDTH = 1200,
	MAP_HEIGHT = 700,
	TITLE_HEIGHT = 14,
	LINE_HEIGHT = 12,
	LETTER_WIDTH = 6,
	MIN_SIDE = 2,
	MIN_FRAME = 24,
	COLOURS = 12,
	HASH_AND_DASH = 33,
	HASH_SHOWN = 8
};

struct page {
	struct arena *arena;
	struct buf *out;
	const struct sizes *sizes;
	bool by_stored; /* areas show sizes in the store disk, not raw sizes */
	/*
	 * path i (n: the node above the roots) dominates children[first[i]..first[i + 1]), largest
	 * first
	 */
	size_t *first;
	size_t *children;
};

/* ---- text ---- */

/* Returns the length of a well-formed UTF-8 character that XML permits, or 0. */
static size_t character_bytes(const unsigned char *p)
{
	static const unsigned min[] = {0, 0, 0x80, 0x800, 0x10000};
	const size_t n = p[0] < 0x80          ? 1
		: p[0] >= 0xf0 && p[0] < 0xf8 ? 4
		: p[0] >= 0xe0                ? 3
		: p[0] >= 0xc0                ? 2
					      : 0;
	if (n == 0 || p[0] >= 0xf8)
		return 0;
	unsigned code = n == 1 ? p[0] : p[0] & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	const bool control =
		(code < 0x20 && code != '\t' && code != '\n') || (code >= 0x7f && code < 0xa0);
	const bool none = (code >= 0xd800 && code < 0xe000) || code == 0xfffe || code == 0xffff ||
		code > 0x10ffff;
	return control || none || code < min[n] ? 0 : n;
}

static void put_escaped(struct buf *out, const char *text)
{
	static const char *const names[] = {['&'] = "&amp;",
		['<'] = "&lt;",
		['>'] = "&gt;",
		['"'] = "&quot;",
		['\''] = "&#39;"};
	for (const unsigned char *p = (const unsigned char *)text; *p;) {
		const size_t n = character_bytes(p);
		if (n == 0)
			buf_puts(out, "\xef\xbf\xbd");
		else if (n == 1 && *p < countof(names) && names[*p])
			buf_puts(out, names[*p]);
		else
			buf_add(out, p, n);
		p += n ? n : 1;
	}
}

/* Omits the hash, which readers ignore. */
static const char *short_name(const struct store_path *path)
{
	return strlen(path->name) > HASH_AND_DASH ? path->name + HASH_AND_DASH : path->name;
}

/* ---- the tree ---- */

static double weight_of(const struct page *page, const struct size *size)
{
	/* Empty paths get a small area, too. */
	return (double)(page->by_stored ? size->stored : size->raw) + 1;
}

static int larger_first(const void *a, const void *b, void *context)
{
	const struct page *page = context;
	const size_t x = *(const size_t *)a, y = *(const size_t *)b;
	const double first = weight_of(page, &page->sizes->paths[x].alone),
		     second = weight_of(page, &page->sizes->paths[y].alone);
	if (first != second)
		return first > second ? -1 : 1;
	return (x > y) - (x < y);
}

static void find_children(struct page *page)
{
	const size_t n = page->sizes->packed->closure.n, *dominator = page->sizes->graph.dominator;
	page->first = arena_alloc(page->arena, (n + 2) * sizeof *page->first);
	page->children = arena_alloc(page->arena, (n + 1) * sizeof *page->children);
	size_t *filled = arena_alloc(page->arena, (n + 1) * sizeof *filled);
	for (size_t i = 0; i < n; i++)
		page->first[dominator[i] + 1]++;
	for (size_t i = 0; i <= n; i++)
		page->first[i + 1] += page->first[i];
	for (size_t i = 0; i < n; i++)
		page->children[page->first[dominator[i]] + filled[dominator[i]]++] = i;
	for (size_t i = 0; i <= n; i++)
		qsort_r(page->children + page->first[i], filled[i], sizeof *page->children,
			larger_first, page);
}

/* ---- the map ---- */

/* One colour for all versions and outputs of a package. */
static unsigned colour_of(const struct page *page, const struct store_path *path)
{
	struct package_name package;
	unsigned hash = 5381;
	package_name_parse(page->arena, path->name, &package);
	for (const char *name = package.name; *name; name++)
		hash = hash * 33 + (unsigned char)*name;
	return hash % COLOURS;
}

static void put_title(const struct page *page, size_t path)
{
	const struct sizes *sizes = page->sizes;
	const struct path_size *size = &sizes->paths[path];
	buf_puts(page->out, "<title>");
	put_escaped(page->out, sizes->packed->closure.v[path].path);
	buf_printf(page->out,
		"\nraw %s, compressed %s; with the paths that only it keeps: raw %s, compressed "
		"%s</title>",
		size_text(page->arena, size->own.raw), stored_text(page->arena, sizes, &size->own),
		size_text(page->arena, size->alone.raw),
		stored_text(page->arena, sizes, &size->alone));
}

/* The start of the text that fits; nothing if fewer than three letters do. */
static void put_line(const struct page *page, const char *text, double x, double y, double width)
{
	const int letters = (int)width / LETTER_WIDTH;
	if (letters < 3)
		return;
	buf_printf(page->out, "<text x=\"%.1f\" y=\"%.1f\">", x, y);
	/* Names of store paths are ASCII, so any byte is a character boundary. */
	put_escaped(page->out,
		arena_strndup(page->arena, text,
			(size_t)letters < strlen(text) ? (size_t)letters : strlen(text)));
	buf_puts(page->out, "</text>");
}

/* The size that the area of a rectangle shows: that of the path and its contents. */
static const char *area_text(const struct page *page, size_t path)
{
	const struct size *alone = &page->sizes->paths[path].alone;
	return page->by_stored ? stored_text(page->arena, page->sizes, alone)
			       : size_text(page->arena, alone->raw);
}

/* The name and the size: on one line if they fit, or if other rectangles follow below. */
static void put_label(const struct page *page, size_t path, struct rectangle r, bool framed)
{
	const char *name = short_name(&page->sizes->packed->closure.v[path]),
		   *size = area_text(page, path);
	const double width = r.width - 4, y = r.y + TITLE_HEIGHT - 3;
	const char *both = arena_printf(page->arena, "%s %s", name, size);
	if (r.height < TITLE_HEIGHT)
		return;
	const bool fits = (int)strlen(both) <= (int)width / LETTER_WIDTH;
	put_line(page, fits ? both : name, r.x + 2, y, width);
	if (!fits && !framed && r.height >= TITLE_HEIGHT + LINE_HEIGHT &&
		(int)strlen(size) <= (int)width / LETTER_WIDTH)
		put_line(page, size, r.x + 2, y + LINE_HEIGHT, width);
}

static void put_rectangle(const struct page *page, size_t path, struct rectangle r, bool framed)
{
	const struct store_path *info = &page->sizes->packed->closure.v[path];
	buf_printf(page->out,
		"<g><rect class=\"c%u\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\">",
		colour_of(page, info), r.x, r.y, r.width, r.height);
	put_title(page, path);
	buf_puts(page->out, "</rect>");
	put_label(page, path, r, framed);
	buf_puts(page->out, "</g>\n");
}

/* A store path and its rectangle. */
struct place {
	size_t path;
	struct rectangle area;
};

struct places {
	struct place *v;
	size_t n, capacity;
};

/*
 * Lays out the children of a path in `inner`. The path's own size, `own`, gets an area among them,
 * which stays empty.
 */
static void place_children(const struct page *page, struct places *places, size_t path,
	const struct size *own, struct rectangle inner)
{
	const size_t *children = page->children + page->first[path],
		     n = page->first[path + 1] - page->first[path];
	const double self = own ? weight_of(page, own) : 0;
	double *weights = arena_alloc(page->arena, (n + 1) * sizeof *weights);
	struct rectangle *areas = arena_alloc(page->arena, (n + 1) * sizeof *areas);
	size_t *of = arena_alloc(page->arena, (n + 1) * sizeof *of), count = 0;
	for (size_t i = 0; i <= n; i++) {
		const double child =
			i < n ? weight_of(page, &page->sizes->paths[children[i]].alone) : 0;
		if (own && self >= child) {
			of[count] = path;
			weights[count++] = self;
			own = NULL;
		}
		if (i < n) {
			of[count] = children[i];
			weights[count++] = child;
		}
	}
	treemap_fill(weights, count, inner, areas);
	for (size_t i = 0; i < count; i++)
		if (of[i] != path && areas[i].width >= MIN_SIDE && areas[i].height >= MIN_SIDE)
			vec_push(page->arena, places, (struct place){of[i], areas[i]});
}

static bool has_room(const struct page *page, size_t path, struct rectangle r)
{
	return page->first[path + 1] > page->first[path] && r.width >= MIN_FRAME &&
		r.height >= MIN_FRAME + TITLE_HEIGHT;
}

static void put_map(const struct page *page)
{
	const size_t above = page->sizes->packed->closure.n;
	struct places places = {0};
	buf_printf(page->out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\">\n",
		MAP_WIDTH, MAP_HEIGHT);
	place_children(page, &places, above, NULL, (struct rectangle){0, 0, MAP_WIDTH, MAP_HEIGHT});
	for (size_t i = 0; i < places.n; i++) {
		const struct place place = places.v[i];
		const struct rectangle r = place.area;
		const bool framed = has_room(page, place.path, r);
		put_rectangle(page, place.path, r, framed);
		if (framed)
			place_children(page, &places, place.path,
				&page->sizes->paths[place.path].own,
				(struct rectangle){r.x + 2, r.y + TITLE_HEIGHT, r.width - 4,
					r.height - TITLE_HEIGHT - 2});
	}
	buf_puts(page->out, "</svg>\n");
}

/* ---- the tables ---- */

/* The name with the first letters of its hash, which distinguish paths with the same name. */
static void put_name(const struct page *page, const struct store_path *path)
{
	const size_t hash = short_name(path) == path->name ? 0 : HASH_SHOWN;
	buf_puts(page->out, "<td title=\"");
	put_escaped(page->out, path->path);
	buf_puts(page->out, "\">");
	put_escaped(page->out, short_name(path));
	buf_puts(page->out, " <small>");
	put_escaped(page->out, arena_strndup(page->arena, path->name, hash));
	buf_puts(page->out, "</small></td>");
}

static void put_row(const struct page *page, size_t path, const struct size *alone)
{
	const struct path_size *size = &page->sizes->paths[path];
	struct arena *arena = page->arena;
	buf_printf(page->out, "<tr><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td>%s</td>",
		size_text(arena, size->own.raw), stored_text(arena, page->sizes, &size->own),
		size_text(arena, size->closure.raw), size_text(arena, alone->raw),
		size_text(arena, size->closure.raw - alone->raw));
	put_name(page, &page->sizes->packed->closure.v[path]);
	buf_puts(page->out, "</tr>\n");
}

static void put_columns(const struct page *page, const char *what)
{
	buf_printf(page->out,
		"<table>\n<tr><th>raw</th><th>compressed</th><th>closure</th><th>alone</"
		"th><th>shared</th><th>%s</th></tr>\n",
		what);
}

static void put_legend(const struct page *page)
{
	static const char *const terms[][2] = {
		{"raw", "the size of the path's files, as Nix counts it (NAR)"},
		{"compressed", "what they take in the store disk"},
		{"closure", "the raw size of the path and of all that it refers to"},
		{"alone", "the part of the closure that would go away with the path"},
		{"shared", "the part that other paths need, too"},
	};
	buf_puts(page->out, "<dl>\n");
	for (size_t i = 0; i < countof(terms); i++)
		buf_printf(page->out, "<dt>%s</dt><dd>%s</dd>\n", terms[i][0], terms[i][1]);
	buf_puts(page->out, "</dl>\n");
}

static void put_tables(const struct page *page)
{
	const struct sizes *sizes = page->sizes;
	put_legend(page);
	put_columns(page, "root");
	for (size_t i = 0; i < sizes->graph.nroots; i++) {
		const struct size alone = root_alone(sizes, sizes->graph.roots[i]);
		put_row(page, sizes->graph.roots[i], &alone);
	}
	buf_puts(page->out, "</table>\n");
	put_columns(page, "store path");
	for (size_t i = 0; i < sizes->packed->closure.n; i++)
		put_row(page, sizes->by_size[i], &sizes->paths[sizes->by_size[i]].alone);
	buf_puts(page->out, "</table>\n");
}

/* ---- the page ---- */

static void put_style(const struct page *page)
{
	buf_puts(page->out,
		"<style>\n"
		":root { color-scheme: light dark; --line: #fff; --ink: #000; --faint: #666; "
		"--light: 75%; }\n"
		"@media (prefers-color-scheme: dark) {\n"
		":root { --line: #111; --ink: #eee; --faint: #999; --light: 28%; }\n"
		"body { background: #111; color: #eee; }\n"
		"}\n"
		"body { font: 14px sans-serif; margin: 1em; }\n"
		"svg { width: 100%; font: 10px sans-serif; }\n"
		"rect { stroke: var(--line); stroke-width: 1; }\n"
		"text { fill: var(--ink); pointer-events: none; }\n"
		"small { color: var(--faint); }\n"
		"dt { float: left; width: 7em; } dd { margin-left: 7em; }\n"
		"table { border-collapse: collapse; margin: 1em 0; }\n"
		"th, td { padding: 0.1em 0.7em; text-align: right; }\n"
		"th:last-child, td:last-child { text-align: left; }\n");
	for (unsigned i = 0; i < COLOURS; i++)
		buf_printf(page->out, ".c%u { fill: hsl(%u, 55%%, var(--light)); }\n", i,
			i * 360 / COLOURS);
	buf_puts(page->out, "</style>\n");
}

/* "web1 (qemu): what takes the space" */
static void put_heading(const struct page *page, const char *element)
{
	const struct packed *packed = page->sizes->packed;
	buf_printf(page->out, "<%s>", element);
	put_escaped(page->out, packed->name);
	if (packed->hypervisor) {
		buf_puts(page->out, " (");
		put_escaped(page->out, packed->hypervisor);
		buf_puts(page->out, ")");
	}
	buf_printf(page->out, ": what takes the space</%s>\n", element);
}

static void put_head(const struct page *page)
{
	buf_puts(page->out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE html>\n<html "
		"xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n"
		"<meta charset=\"utf-8\"/>\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		"style-src 'unsafe-inline'\"/>\n");
	put_heading(page, "title");
	put_style(page);
	buf_puts(page->out, "</head>\n<body>\n");
	put_heading(page, "h1");
}

static void put_summary(const struct page *page)
{
	const struct packed *packed = page->sizes->packed;
	buf_puts(page->out, "<p>");
	put_escaped(page->out, packed->runner ? packed->runner : "not built");
	buf_printf(page->out, ": %zu store path%s, %s raw, %s compressed", packed->closure.n,
		plural(packed->closure.n), size_text(page->arena, page->sizes->total.raw),
		stored_text(page->arena, page->sizes, &page->sizes->total));
	if (packed->disk_bytes)
		buf_printf(page->out, "; store disk %s%s",
			size_text(page->arena, packed->disk_bytes), tree_text(page->arena, packed));
	buf_printf(page->out,
		".</p>\n<p>A rectangle is a store path, and contains those that only it keeps; the "
		"empty part is the path itself. Areas and numbers are %s sizes. All versions of a "
		"package have one colour.</p>\n",
		page->by_stored ? "compressed" : "raw");
}

void sizes_html(struct arena *arena, struct buf *out, const struct sizes *sizes)
{
	struct page page = {.arena = arena,
		.out = out,
		.sizes = sizes,
		.by_stored = sizes->packed->on_disk && sizes->total.unknown == 0};
	find_children(&page);
	put_head(&page);
	put_summary(&page);
	put_map(&page);
	put_tables(&page);
	buf_puts(out, "</body>\n</html>\n");
}

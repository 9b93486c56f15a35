/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compiler/inspect/graph.h"
#include "compiler/inspect/sizes.h"
#include "tests/unit/fixture.h"

enum { MOST = 24, RANDOM_GRAPHS = 2000 };

/* A closure of n paths with the sizes 1, 2, 4, …, so that a sum identifies its parts. */
struct drawn {
	struct store_path paths[MOST];
	size_t refs[MOST][MOST];
	int64_t stored[MOST];
	struct closure closure;
};

static void drawn_start(struct drawn *drawn, size_t n)
{
	static const char *const names[MOST] = {"/s/a", "/s/b", "/s/c", "/s/d", "/s/e", "/s/f",
		"/s/g", "/s/h", "/s/i", "/s/j", "/s/k", "/s/l", "/s/m", "/s/n", "/s/o", "/s/p",
		"/s/q", "/s/r", "/s/s", "/s/t", "/s/u", "/s/v", "/s/w", "/s/x"};
	*drawn = (struct drawn){.closure = {.v = drawn->paths, .n = n, .store_dir = "/s"}};
	for (size_t i = 0; i < n; i++) {
		drawn->paths[i] = (struct store_path){.path = names[i],
			.name = names[i] + 3,
			.nar_size = (int64_t)1 << i,
			.refs = drawn->refs[i]};
		drawn->stored[i] = (int64_t)3 << i;
	}
}

static void drawn_edge(struct drawn *drawn, size_t from, size_t to)
{
	drawn->refs[from][drawn->paths[from].nrefs++] = to;
}

static struct sizes sizes_of(
	struct fixture *f, struct drawn *drawn, const size_t *roots, size_t nroots)
{
	struct packed *packed = arena_alloc(f->arena, sizeof *packed);
	struct sizes sizes;
	*packed = (struct packed){.name = "drawn",
		.closure = drawn->closure,
		.roots = roots,
		.nroots = nroots,
		.on_disk = true,
		.stored = drawn->stored};
	sizes_make(f->arena, packed, &sizes);
	return sizes;
}

/* The total size of the paths reachable from the roots without passing through `without`. */
static uint64_t reached_without(
	const struct drawn *drawn, const size_t *roots, size_t nroots, size_t without)
{
	bool seen[MOST] = {0};
	size_t queue[MOST], queued = 0;
	uint64_t sum = 0;
	for (size_t i = 0; i < nroots; i++)
		if (roots[i] != without && !seen[roots[i]]) {
			seen[roots[i]] = true;
			queue[queued++] = roots[i];
		}
	for (size_t i = 0; i < queued; i++) {
		const struct store_path *path = &drawn->paths[queue[i]];
		sum += (uint64_t)path->nar_size;
		for (size_t j = 0; j < path->nrefs; j++)
			if (path->refs[j] != without && !seen[path->refs[j]]) {
				seen[path->refs[j]] = true;
				queue[queued++] = path->refs[j];
			}
	}
	return sum;
}

static void a_diamond_has_its_top_as_dominator(void **state)
{
	struct fixture *f = *state;
	struct drawn drawn;
	const size_t root = 0;
	drawn_start(&drawn, 5);
	drawn_edge(&drawn, 0, 1);
	drawn_edge(&drawn, 0, 2);
	drawn_edge(&drawn, 1, 3);
	drawn_edge(&drawn, 2, 3);
	drawn_edge(&drawn, 3, 3); /* a reference to itself */
	drawn_edge(&drawn, 3, 4);
	struct sizes sizes = sizes_of(f, &drawn, &root, 1);
	assert_int_equal(sizes.graph.dominator[3], 0);
	assert_int_equal(sizes.graph.dominator[4], 3);
	assert_int_equal(sizes.graph.referrer[3], 1);
	assert_int_equal(sizes.paths[1].alone.raw, 2);
	assert_int_equal(sizes.paths[1].closure.raw, 2 + 8 + 16);
	assert_int_equal(sizes.paths[3].alone.raw, 8 + 16);
	assert_int_equal(sizes.paths[3].alone.stored, 3 * (8 + 16));
	assert_int_equal(sizes.paths[0].alone.raw, 31);
	assert_int_equal(sizes.total.raw, 31);
	assert_int_equal(sizes.by_size[0], 4);
}

static void a_root_that_others_need_saves_nothing(void **state)
{
	struct fixture *f = *state;
	struct drawn drawn;
	const size_t roots[] = {0, 1};
	drawn_start(&drawn, 3);
	drawn_edge(&drawn, 0, 1);
	drawn_edge(&drawn, 1, 2);
	struct sizes sizes = sizes_of(f, &drawn, roots, 2);
	assert_int_equal(root_alone(&sizes, 1).raw, 0);
	assert_int_equal(sizes.paths[1].alone.raw, 2 + 4);
	assert_int_equal(root_alone(&sizes, 0).raw, 1);
}

static void unreachable_paths_become_roots(void **state)
{
	struct fixture *f = *state;
	struct drawn drawn;
	const size_t root = 0;
	drawn_start(&drawn, 6);
	drawn_edge(&drawn, 1, 2);
	/* A cycle that cannot be reached from the root. */
	drawn_edge(&drawn, 3, 4);
	drawn_edge(&drawn, 4, 3);
	drawn_edge(&drawn, 4, 5);
	struct sizes sizes = sizes_of(f, &drawn, &root, 1);
	assert_int_equal(sizes.graph.nroots, 3);
	assert_int_equal(sizes.graph.roots[1], 1);
	assert_int_equal(sizes.graph.roots[2], 3);
	assert_int_equal(sizes.paths[3].alone.raw, 8 + 16 + 32);
}

static void random_graphs_agree_with_the_definition(void **state)
{
	struct fixture *f = *state;
	unsigned seed = 1;
	for (unsigned round = 0; round < RANDOM_GRAPHS; round++) {
		struct arena *arena = arena_new();
		struct fixture one = {.arena = arena, .diag = f->diag};
		struct drawn drawn;
		const size_t n = 1 + (size_t)rand_r(&seed) % MOST;
		drawn_start(&drawn, n);
		for (size_t i = 0; i < n; i++)
			for (size_t j = 0; j < n; j++)
				/* Odd rounds allow cycles; even rounds have none, like stores. */
				if ((round & 1 || j >= i) && rand_r(&seed) % 8 == 0)
					drawn_edge(&drawn, i, j);
		const size_t roots[] = {0, (size_t)rand_r(&seed) % n};
		struct sizes sizes = sizes_of(&one, &drawn, roots, 2);
		const uint64_t all =
			reached_without(&drawn, sizes.graph.roots, sizes.graph.nroots, n);
		assert_int_equal(all, sizes.total.raw);
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(sizes.paths[i].alone.raw,
				all -
					reached_without(
						&drawn, sizes.graph.roots, sizes.graph.nroots, i));
			assert_int_equal(
				sizes.paths[i].closure.raw, reached_without(&drawn, &i, 1, n));
		}
		arena_free(arena);
	}
}

static void a_long_chain_needs_no_recursion(void **state)
{
	struct fixture *f = *state;
	enum { LONG = 200000 };
	struct store_path *paths = arena_alloc(f->arena, LONG * sizeof *paths);
	size_t *refs = arena_alloc(f->arena, LONG * sizeof *refs);
	for (size_t i = 0; i < LONG; i++) {
		refs[i] = i + 1;
		paths[i] = (struct store_path){.path = "/s/x",
			.name = "x",
			.nar_size = 1,
			.refs = &refs[i],
			.nrefs = i + 1 < LONG};
	}
	const struct closure closure = {.v = paths, .n = LONG};
	const size_t root = 0;
	struct graph graph;
	graph_make(f->arena, &closure, &root, 1, &graph);
	assert_int_equal(graph.dominator[LONG - 1], LONG - 2);
	assert_int_equal(graph.referrer[LONG - 1], LONG - 2);
}

/* ---- disks made as a whole ---- */

static void sizes_are_estimated(void **state)
{
	struct fixture *f = *state;
	struct drawn drawn;
	const size_t root = 0;
	drawn_start(&drawn, 3);
	drawn_edge(&drawn, 0, 1);
	drawn_edge(&drawn, 0, 2);
	drawn.stored[0] = drawn.stored[1] = drawn.stored[2] = -1;
	struct packed packed = {.name = "x",
		.closure = drawn.closure,
		.roots = &root,
		.nroots = 1,
		.on_disk = true,
		.disk_bytes = 70,
		.stored = drawn.stored};
	struct sizes sizes;
	sizes_make(f->arena, &packed, &sizes);
	assert_true(sizes.estimated);
	assert_int_equal(sizes.paths[1].own.stored, 20);
	assert_int_equal(sizes.total.stored, 70);
	assert_string_equal(stored_text(f->arena, &sizes, &sizes.total), "~70 B");
	/* Without a disk, nothing is estimated. */
	packed.disk_bytes = 0;
	drawn.stored[0] = 5;
	sizes_make(f->arena, &packed, &sizes);
	assert_string_equal(stored_text(f->arena, &sizes, &sizes.total), "5 B+");
	assert_string_equal(stored_text(f->arena, &sizes, &sizes.paths[1].own), "-");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_diamond_has_its_top_as_dominator, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			a_root_that_others_need_saves_nothing, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			unreachable_paths_become_roots, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			random_graphs_agree_with_the_definition, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			a_long_chain_needs_no_recursion, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			sizes_are_estimated, fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests_name("graph", tests, NULL, NULL);
}
